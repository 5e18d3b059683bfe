"""Looking changes nothing, so that a link on another site, or a browser that fetches ahead, does nothing either."""

from __future__ import annotations

from support.tenants import Attacker, House, addresses, digest

from invoiceapp.services.audit.acts import DOWNLOADS

#: Each request says of its session that it is alive; each download leaves an entry in the audit trail (``DOWNLOADS``).
#: A link that is none counts as a try to guess one, and each start at the provider's as one that costs it something.
_TRIES = {
    "invitations.show": {"sign_in_failure"},
    "oidc.start": {"sign_in_failure"},
    # The installation's own key is made when the first pack is signed.
    "evidence.document": {"signing_key"},
}
_SEEN, _TRAIL = "sign_in_session", frozenset({"audit_entry", "audit_chain"})


def test_no_address_that_is_only_looked_at_changes_anything(whole: House) -> None:
    whole.fresh()
    owner, wrong, called = Attacker(whole.ours.owner), [], 0
    before = whole.rows()
    for method, endpoint, path in addresses(whole, whole.ours):
        if method != "GET":
            continue
        called += 1
        for _again in range(2):
            owner.send("GET", path)
        after = whole.rows()
        allowed = {_SEEN} | (_TRAIL if endpoint in DOWNLOADS else set()) | _TRIES.get(endpoint, set())
        changed = {table for table in before if digest({"": before[table]}) != digest({"": after[table]})}
        wrong += [f"{path} ({endpoint}): {sorted(changed - allowed)}"] if changed - allowed else []
        before = after
    assert called > 90 and not wrong, "\n".join(wrong)
    assert not whole.redis.keys("rq:job:*")
