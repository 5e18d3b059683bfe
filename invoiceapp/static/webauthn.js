// Passkeys: asks the browser for what the form's data-options say, and sends the form with the answer.
(() => {
  "use strict";
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const options = () => {
    const asked = JSON.parse(form.dataset.options);
    const publicKey = { ...asked, challenge: bytes(asked.challenge) };
    if (asked.user) publicKey.user = { ...asked.user, id: bytes(asked.user.id) };
    if (asked.excludeCredentials) publicKey.excludeCredentials = named(asked.excludeCredentials);
    if (asked.allowCredentials) publicKey.allowCredentials = named(asked.allowCredentials);
    return { publicKey };
  };

  const written = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  };

  const failed = form.querySelector("[data-passkey-failed]");
  const ask = async () => {
    failed.hidden = true;
    try {
      const credential = form.dataset.passkey === "create" ? await navigator.credentials.create(options()) : await navigator.credentials.get(options());
      form.elements.credential.value = written(credential);
    } catch {
      failed.hidden = false;
      return;
    }
    form.submit();
  };

  form.querySelector("[data-passkey-again]").addEventListener("click", ask);
  ask();
})();
