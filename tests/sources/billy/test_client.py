from __future__ import annotations

import traceback
from decimal import Decimal
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.sources.base import CredentialsRefused, NotFound, SourceChanged, SourceError, SourceUnavailable
from invoiceapp.sources.billy import client as client_module
from invoiceapp.sources.billy.client import BillyClient, Forbidden, Place, RequestUnknown
from invoiceapp.sources.billy.connection import Answer, Connection

pytestmark = pytest.mark.server

HTML = b"<!doctype html><title>Maintenance</title>"


def paging(page: int, count: int, total: int) -> dict[str, Any]:
    return {"paging": {"page": page, "pageCount": count, "pageSize": 2, "total": total}}


def contacts(*ids: str, **more: Any) -> dict[str, Any]:
    return {"contacts": [{"id": key} for key in ids], **more}


def read_contacts(client: BillyClient, page_size: int = 2) -> list[str]:
    return [r["id"] for page in client.pages("/contacts", "contacts", page_size=page_size) for r in page.records]


def test_a_request_carries_the_token_and_asks_for_english(billy: Any, client: BillyClient) -> None:
    billy.on("/organization", {"organization": {"id": "a"}})
    assert client.get_one("/organization", "organization") == {"id": "a"}
    headers = billy.requests[0].headers
    assert headers["x-access-token"] == billy.token
    assert headers["accept-language"] == "en_US"
    assert headers["user-agent"].startswith("invoiceapp")


def test_a_proxy_in_the_environment_is_not_used(
    billy: Any, client: BillyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    billy.on("/organization", {"organization": {"id": "a"}})
    assert client.get_one("/organization", "organization") == {"id": "a"}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "OAUTH_INVALID_ACCESS_TOKEN", CredentialsRefused),
        (401, "AUTHENTICATION_REQUIRED", CredentialsRefused),
        (403, "FORBIDDEN", Forbidden),
        (404, "RECORD_NOT_FOUND", NotFound),
        (404, "UNKNOWN_RESOURCE", RequestUnknown),
        (405, "METHOD_NOT_ALLOWED", SourceChanged),
        (400, "OTHER", RequestUnknown),
        (422, "OTHER", SourceChanged),
    ],
)
def test_each_refusal_has_its_error_and_keeps_what_billy_said(
    billy: Any, client: BillyClient, status: int, code: str, expected: type[SourceError]
) -> None:
    billy.on("/x", billy.error(status, code, "Not today."))
    with pytest.raises(SourceError) as caught:
        client.get_one("/x", "x")
    assert type(caught.value) is expected
    assert f"HTTP {status} {code} Not today." in caught.value.detail
    assert len(billy.requests) == 1


def test_a_wrong_token_and_a_forbidden_one_are_told_apart(billy: Any, client: BillyClient) -> None:
    billy.on("/x", billy.error(401, "A"), billy.error(403, "B"))
    texts = []
    for _ in range(2):
        with pytest.raises(CredentialsRefused) as caught:
            client.get_one("/x", "x")
        texts.append(caught.value.text)
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b"",
        b'{"x": {"id": "a"',
        b'["x"]',
        b'{"x": []}',
        b'{"y": {"id": "a"}}',
        b'{"x": {"rate": NaN}}',
        b'{"x": {"rate": -Infinity}}',
        b'{"x": {"rate": 1e99999999999999999999}}',
        b'{"x": "\xff"}',
        b'{"x":' + b"[" * 100_000,
    ],
    ids=["html", "empty", "cut", "array", "root-is-list", "no-root", "nan", "infinity", "exponent", "utf8", "deep"],
)
def test_an_answer_that_does_not_fit_stops_at_once(billy: Any, client: BillyClient, body: bytes) -> None:
    billy.on("/x", billy.reply(200, body))
    with pytest.raises(SourceChanged):
        client.get_one("/x", "x")
    assert len(billy.requests) == 1


def test_decimals_stay_exact(billy: Any, client: BillyClient) -> None:
    billy.on("/x", b'{"x": {"amount": 0.1, "rate": 1.005, "count": 3}}')
    record = client.get_one("/x", "x")
    assert record == {"amount": Decimal("0.1"), "rate": Decimal("1.005"), "count": 3}
    assert isinstance(record["amount"], Decimal)


def test_an_answer_above_the_size_limit_is_dropped(
    billy: Any, client: BillyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LARGEST_JSON", 1000)
    billy.on("/x", billy.reply(200, b'{"x": {}}' + b" " * 1000))
    with pytest.raises(SourceChanged, match="more than 1000 bytes"):
        client.get_one("/x", "x")


def test_a_redirect_is_not_followed(billy: Any, client: BillyClient) -> None:
    billy.on("/x", billy.reply(302, headers={"Location": f"{billy.url}/elsewhere"}))
    with pytest.raises(SourceChanged, match="HTTP 302"):
        client.get_one("/x", "x")
    assert billy.paths() == ["/x"]


def test_pages_are_read_to_the_page_count_with_what_was_sent_along(billy: Any, client: BillyClient) -> None:
    billy.on(
        "/contacts",
        contacts("a", "b", meta=paging(1, 2, 3), countries=[{"id": "DK"}]),
        contacts("c", meta=paging(2, 2, 3)),
    )
    pages = list(client.pages("/contacts", "contacts", {"include": "contact.country"}, page_size=2))
    assert [[r["id"] for r in page.records] for page in pages] == [["a", "b"], ["c"]]
    assert pages[0].sideloaded == {"countries": [{"id": "DK"}]}
    assert [r.params["page"] for r in billy.requests] == ["1", "2"]
    assert billy.requests[1].params == {"include": "contact.country", "page": "2", "pageSize": "2"}


def test_a_list_without_paging_data_ends_at_a_short_page(billy: Any, client: BillyClient) -> None:
    billy.on("/contacts", contacts("a", "b"), contacts("c"))
    assert read_contacts(client) == ["a", "b", "c"]
    assert len(billy.requests) == 2


def test_a_server_that_ignores_the_page_number_does_not_loop(billy: Any, client: BillyClient) -> None:
    billy.on("/contacts", contacts("a", "b"))
    assert read_contacts(client) == ["a", "b"]
    assert len(billy.requests) == 2


def test_a_list_ends_at_an_empty_page_whatever_the_page_count_says(billy: Any, client: BillyClient) -> None:
    billy.on("/contacts", contacts("a", "b", meta=paging(1, 99, 198)), contacts(meta=paging(2, 99, 198)))
    assert read_contacts(client) == ["a", "b"]
    assert len(billy.requests) == 2


def test_a_list_without_end_is_an_error(billy: Any, client: BillyClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_PAGES", 5)
    billy.on("/contacts", lambda r: contacts(r.params["page"], meta=paging(1, 10**9, 10**9)))
    with pytest.raises(SourceChanged, match="more than 5 pages"):
        read_contacts(client)
    assert len(billy.requests) == 5


def test_a_record_that_moved_to_the_next_page_comes_once(billy: Any, client: BillyClient) -> None:
    billy.on("/contacts", contacts("a", "b", meta=paging(1, 2, 3)), contacts("b", "c", meta=paging(2, 2, 4)))
    assert read_contacts(client) == ["a", "b", "c"]


def test_a_record_that_moved_to_an_earlier_page_is_not_lost(billy: Any, client: BillyClient) -> None:
    first = contacts("a", "b", meta=paging(1, 2, 4))
    after_a_is_gone = {
        "1": contacts("b", "c", meta=paging(1, 2, 3)),
        "2": contacts("d", meta=paging(2, 2, 3)),
    }
    billy.on("/contacts", first, lambda request: after_a_is_gone[request.params["page"]])
    assert sorted(read_contacts(client)) == ["a", "b", "c", "d"]


def test_a_list_that_never_stops_shrinking_is_unavailable(billy: Any, client: BillyClient) -> None:
    totals = iter(range(1000, 0, -1))
    billy.on("/contacts", lambda r: contacts(f"c{r.params['page']}", meta=paging(1, 2, next(totals))))
    with pytest.raises(SourceUnavailable):
        read_contacts(client)
    assert len(billy.requests) == 6


def test_reading_goes_on_at_a_place_whatever_the_page_size_is_by_then(billy: Any, client: BillyClient) -> None:
    billy.on("/contacts", contacts("a", "b", "c", "d", meta=paging(1, 3, 9)))
    first = next(client.pages("/contacts", "contacts", page_size=4))
    assert first.following == Place(offset=4, largest_total=9)
    billy.on("/contacts", contacts("d", "e", "f", meta=paging(2, 2, 9)))
    [page] = client.pages("/contacts", "contacts", page_size=3, place=first.following)
    assert billy.requests[-1].params["page"] == "2", "the fifth record lies on it"
    assert page.following is None


def test_a_list_that_shrank_before_somebody_goes_on_is_read_again(billy: Any, client: BillyClient) -> None:
    billy.on("/contacts", contacts("c", meta=paging(2, 2, 3)), contacts("b", "c", meta=paging(1, 1, 2)))
    pages = list(client.pages("/contacts", "contacts", page_size=2, place=Place(offset=2, largest_total=4)))
    assert [[record["id"] for record in page.records] for page in pages] == [["c"], ["b"]]
    assert [page.following for page in pages] == [Place(passes=1), None]
    assert [request.params["page"] for request in billy.requests] == ["2", "1"]


def test_passes_are_counted_across_places(billy: Any, client: BillyClient) -> None:
    with pytest.raises(SourceUnavailable):
        next(client.pages("/contacts", "contacts", place=Place(passes=client_module.MAX_PASSES)))
    assert billy.requests == []


@pytest.mark.parametrize("body", [{"contacts": {"id": "a"}}, {"contacts": ["a"]}, {"people": []}])
def test_a_list_of_another_shape_is_an_error(billy: Any, client: BillyClient, body: dict[str, Any]) -> None:
    billy.on("/contacts", body)
    with pytest.raises(SourceChanged):
        read_contacts(client)


def test_a_pdf_is_fetched_without_the_token(billy: Any, client: BillyClient) -> None:
    billy.on("/1042.pdf", b"%PDF-1.7 content")
    assert client.download(f"{billy.url}/1042.pdf?token=abc") == b"%PDF-1.7 content"
    assert billy.requests[0].params == {"token": "abc"}
    assert billy.token not in billy.requests[0].headers.values()


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/1042.pdf",
        "https://evilbilly.dk/1042.pdf",
        "https://download.billy.dk.evil.example/1042.pdf",
        "https://download.billy.dk@evil.example/1042.pdf",
        "https://user:pass@download.billy.dk/1042.pdf",
        "https://evil.example\\@download.billy.dk/1042.pdf",
        "https://169.254.169.254/latest",
        "http://download.billy.dk/1042.pdf",
        "ftp://download.billy.dk/1042.pdf",
        "file:///etc/passwd",
        "https://[broken/1042.pdf",
        "1042.pdf",
    ],
)
def test_a_pdf_elsewhere_is_refused_unasked(client: BillyClient, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "get", lambda *_: pytest.fail("a request was made"))
    with pytest.raises(SourceChanged, match="not allowed"):
        client.download(url)


def test_a_plain_http_pdf_is_refused_where_billy_itself_is_https() -> None:
    with pytest.raises(SourceChanged, match="not allowed"):
        BillyClient("token").download("http://api.billysbilling.com/1042.pdf")


@pytest.mark.parametrize("host", ["download.billy.dk", "files.billysbilling.com", "api.billysbilling.com"])
def test_billys_own_hosts_may_hold_the_pdf(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = BillyClient("token")
    monkeypatch.setattr(Connection, "get", lambda _self, url, *_: Answer(200, None, b"%PDF " + url.encode()))
    assert client.download(f"https://{host}/1042.pdf").endswith(f"https://{host}/1042.pdf".encode())


def test_a_pdf_that_is_html_is_refused(billy: Any, client: BillyClient) -> None:
    billy.on("/1042.pdf", billy.reply(200, HTML))
    with pytest.raises(SourceChanged):
        client.download(f"{billy.url}/1042.pdf")


def test_a_pdf_link_that_redirects_is_refused(billy: Any, client: BillyClient) -> None:
    billy.on("/1042.pdf", billy.reply(302, headers={"Location": f"{billy.url}/other.pdf"}))
    with pytest.raises(SourceChanged):
        client.download(f"{billy.url}/1042.pdf")
    assert billy.paths() == ["/1042.pdf"]


def test_a_pdf_link_that_expired_can_be_tried_again(billy: Any, client: BillyClient) -> None:
    billy.on("/1042.pdf", billy.reply(403, HTML))
    with pytest.raises(SourceUnavailable):
        client.download(f"{billy.url}/1042.pdf")


def test_a_pdf_above_the_size_limit_is_refused(
    billy: Any, client: BillyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LARGEST_PDF", 100)
    billy.on("/1042.pdf", b"%PDF" + b"x" * 100)
    with pytest.raises(SourceChanged, match="more than 100 bytes"):
        client.download(f"{billy.url}/1042.pdf")


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 422, 429, 500])
def test_the_token_is_in_no_error(billy: Any, client: BillyClient, status: int) -> None:
    echo = f"Your token {billy.token} is bad."
    billy.on("/x", billy.error(status, billy.token, echo, headers={"Location": f"/{billy.token}"}))
    with pytest.raises(SourceError) as caught:
        client.get_one("/x", "x")
    assert billy.token not in _everything_said(caught.value)


@pytest.mark.parametrize("broken", ["refused", "cut", "slow"])
def test_the_token_is_in_no_error_of_a_broken_connection(billy: Any, broken: str) -> None:
    billy.on("/cut", billy.reply(200, b"{", headers={"Content-Length": "9"}))
    billy.on("/slow", billy.reply(200, b"{" * 100, seconds_per_byte=0.02))
    url = "http://127.0.0.1:8999" if broken == "refused" else billy.url
    client = BillyClient(billy.token, url, guard=LOOPBACK, tries=1, timeout=0.1)
    with pytest.raises(SourceUnavailable) as caught:
        client.get_one(f"/{broken}", "x")
    assert billy.token not in _everything_said(caught.value)
    client.close()


def _everything_said(error: BaseException) -> str:
    """The error and all that led to it, in every form, with the requests that such errors carry."""
    said = "".join(traceback.format_exception(error))
    link: BaseException | None = error
    while link:
        said += repr(link) + str(link) + repr(vars(link))
        request = getattr(link, "request", None)
        said += repr(getattr(request, "headers", ""))
        link = link.__cause__ or link.__context__
    return said


def test_the_token_is_not_in_the_clients_repr(client: BillyClient, billy: Any) -> None:
    assert billy.token not in repr(client) + str(client)


@pytest.mark.parametrize("token", ["", "  ", "two words", "a\nb", "smørrebrød"])
def test_a_token_that_cannot_be_right_is_refused_unsent(token: str) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        BillyClient(token)
    assert not token.strip() or token not in _everything_said(caught.value)


def test_blanks_around_a_pasted_token_are_dropped(billy: Any) -> None:
    billy.on("/x", {"x": {"id": "a"}})
    client = BillyClient(f" {billy.token}\n", billy.url, guard=LOOPBACK)
    client.get_one("/x", "x")
    client.close()
    assert billy.requests[0].headers["x-access-token"] == billy.token


@pytest.mark.parametrize(
    "url",
    ["http://api.billysbilling.com/v2", "http://127.0.0.1.evil.example", "ftp://x", "", "https://", "https://a@b/v2"],
)
def test_an_address_without_tls_is_refused(url: str) -> None:
    with pytest.raises(CredentialsRefused):
        BillyClient("token", url)


@pytest.mark.parametrize("url", ["https://api.billysbilling.com/v2", "http://localhost:5001/v2", "http://127.0.0.1:1"])
def test_https_and_this_machine_are_accepted(url: str) -> None:
    BillyClient("token", url).close()
