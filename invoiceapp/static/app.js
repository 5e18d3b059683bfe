// All behaviour of the pages. Every listener is on the document, so swapped-in fragments need no setting up.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const announce = (text) => { document.getElementById("announcer").textContent = text; };

  // --- theme, menus -------------------------------------------------------------------------------------------------
  const showTheme = () => all("[data-theme-choice]", document.body).forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === document.documentElement.dataset.themeChoice)));

  function chooseTheme(choice) {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      return; // storage switched off: the device decides
    }
    window.dispatchEvent(new Event("theme:change"));
    showTheme();
  }

  function setUpMenu() {
    const narrow = window.matchMedia("(max-width: 991.98px)");
    const fold = () => all("[data-menu]").forEach((menu) => { menu.open = !narrow.matches; menu.dataset.ready = ""; });
    narrow.addEventListener("change", fold);
    fold();
  }

  const closeMenus = (except) => all("[data-closes][open]").filter((menu) => !menu.contains(except)).forEach((menu) => { menu.open = false; });

  // --- folding cards ------------------------------------------------------------------------------------------------
  function unfold() { // a link to a field inside a folded card
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const card = target?.closest("details.folding:not([open])");
    if (!card) return;
    card.open = true;
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", unfold);

  // --- copy ---------------------------------------------------------------------------------------------------------
  function copyWithSelection(text) { // navigator.clipboard exists on https and localhost only
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  async function copy(button) {
    if (navigator.clipboard) await navigator.clipboard.writeText(button.dataset.copy);
    else copyWithSelection(button.dataset.copy);
    const label = button.querySelector("[data-copy-label]");
    const before = label.textContent;
    label.textContent = button.dataset.copied;
    announce(button.dataset.copied);
    button.focus();
    setTimeout(() => { label.textContent = before; }, 2000);
  }

  // --- selecting rows -----------------------------------------------------------------------------------------------
  function countSelected(scope) {
    const boxes = all("[data-select]:not(:disabled)", scope);
    const chosen = boxes.filter((box) => box.checked).length;
    const everything = all("[data-select-everything]", scope).find((box) => box.checked);
    all("[data-select-all]", scope).forEach((box) => {
      box.checked = chosen > 0 && chosen === boxes.length;
      box.indeterminate = chosen > 0 && chosen < boxes.length;
    });
    all("[data-selected-count]", scope).forEach((place) => { place.textContent = everything?.dataset.total ?? String(chosen); });
    all("[data-bulk] button", scope).forEach((button) => { button.disabled = !chosen && !everything; });
  }
  const countAll = () => new Set(all("[data-selectable]").map((table) => table.closest("form") || document)).forEach(countSelected);

  // --- fields that count only beside a value of another one -----------------------------------------------------------
  function valueOf(form, name) { // a checkbox stands before its hidden "false"
    const item = form.elements[name];
    const first = item instanceof RadioNodeList ? item[0] : item;
    return first?.type === "checkbox" ? String(first.checked) : first?.value;
  }

  function showWhatCounts(form) {
    all("[data-only-when]", form).forEach((field) => {
      const above = [form.elements[field.dataset.onlyWhen]].flat()[0]?.closest?.(".field");
      const counts = !above?.hidden && field.dataset.onlyValues.split(" ").includes(valueOf(form, field.dataset.onlyWhen));
      field.hidden = !counts && !field.querySelector("[aria-invalid]"); // a complaint is always seen
    });
    all(".field-group", form).forEach((group) => { group.hidden = !group.querySelector(".field:not([hidden])"); });
  }
  const showAllThatCount = () => new Set(all("[data-only-when]").map((field) => field.closest("form"))).forEach(showWhatCounts);

  // --- submitting ---------------------------------------------------------------------------------------------------
  const buttonsOf = (form) => [...form.elements].filter((item) => item.type === "submit");
  const unlock = (form) => buttonsOf(form).filter((button) => "locked" in button.dataset)
    .forEach((button) => { button.disabled = false; delete button.dataset.locked; });

  function lock(event) {
    const form = event.target;
    if (event.defaultPrevented && !form.hasAttribute("hx-post")) return;
    if ("noLock" in form.dataset || event.submitter?.formMethod === "dialog") return;
    // After this turn: a disabled button's own name and value would not be sent.
    setTimeout(() => buttonsOf(form).filter((button) => !button.disabled)
      .forEach((button) => { button.disabled = true; button.dataset.locked = ""; }));
  }

  // --- polling ------------------------------------------------------------------------------------------------------
  function togglePause(button) {
    const poll = button.closest("[data-poll]");
    const paused = poll.toggleAttribute("data-paused");
    button.setAttribute("aria-pressed", String(paused));
  }

  function polled(poll) {
    const time = poll.querySelector("[data-poll-time]");
    time.textContent = new Date().toLocaleTimeString(document.documentElement.lang === "en" ? "en-GB" : "da-DK");
    const summary = poll.querySelector("[data-summary]")?.textContent.trim() ?? "";
    const live = poll.querySelector("[data-poll-live]");
    if (live.textContent !== summary) live.textContent = summary;
  }

  // --- focus and notices --------------------------------------------------------------------------------------------
  const focusErrors = (root) => root.querySelector?.("[data-error-summary]")?.focus();

  function showNotice(kind) {
    const notice = document.getElementById("connection-notice");
    if (!notice) return;
    notice.querySelector("[data-notice-text]").textContent = notice.dataset[kind];
    notice.hidden = false;
  }

  // --- events -------------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const found = (selector) => event.target.closest(selector);
    const opener = found("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog).showModal();
    if (found("[data-copy]")) copy(found("[data-copy]"));
    if (found("[data-theme-choice]") && document.body.contains(found("[data-theme-choice]"))) chooseTheme(found("button").dataset.themeChoice);
    if (found("[data-poll-pause]")) togglePause(found("[data-poll-pause]"));
    if (event.target.matches("dialog")) event.target.close(); // the backdrop
    closeMenus(event.target);
  });

  document.addEventListener("change", (event) => {
    const box = event.target;
    const scope = box.form || document;
    if (box.matches("[data-select-all]")) all("[data-select]:not(:disabled)", scope).forEach((other) => { other.checked = box.checked; });
    if (box.matches("[data-select-all], [data-select], [data-select-everything]")) countSelected(scope);
    if (box.form) showWhatCounts(box.form);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null);
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.querySelector("[data-search]");
    if (!search || event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable], dialog[open]")) return;
    event.preventDefault();
    search.focus();
  });

  document.addEventListener("submit", lock);
  window.addEventListener("pageshow", () => { all("form").forEach(unlock); showAllThatCount(); });

  // --- htmx ---------------------------------------------------------------------------------------------------------
  let kept = { focusLost: false, place: "", ids: new Set() };

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = document.querySelector("meta[name=csrf-token]").content;
    const { sendAs } = event.target.dataset; // an input that is sent under another name than in its form
    if (sendAs) event.detail.parameters = { [sendAs]: event.target.value };
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const poll = event.target.matches("[data-poll] > [hx-get]") && event.target.parentElement;
    if (poll && (poll.hasAttribute("data-paused") || document.hidden)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    if (/^\s*<!doctype/i.test(xhr.responseText)) { // a whole page instead of a fragment: the session has ended
      event.detail.shouldSwap = false;
      window.location.reload();
      return;
    }
    if (xhr.status === 286) target.closest("[data-poll]")?.setAttribute("data-done", "");
    // A button that was pressed is disabled by now and has no focus; data-returns names the field that it worked on.
    const pressed = event.detail.requestConfig?.triggeringEvent?.submitter;
    kept = {
      focusLost: Boolean(pressed) || target.contains(document.activeElement),
      place: pressed?.dataset.returns || pressed?.id || "",
      ids: new Set(all("[data-select]:checked", target).map((box) => box.value)),
    };
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const { target } = event.detail;
    all("[data-select]", target).filter((box) => kept.ids.has(box.value)).forEach((box) => { box.checked = true; });
    countAll();
    showAllThatCount();
    if (kept.focusLost && document.activeElement === document.body) (document.getElementById(kept.place) || target).focus();
    focusErrors(target);
    const poll = target.closest("[data-poll]");
    if (poll) polled(poll);
    all("dialog[data-shows]", target).forEach((dialog) => dialog.showModal());
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.matches("form")) unlock(event.target);
    if (event.detail.successful) document.getElementById("connection-notice")?.setAttribute("hidden", "");
  });
  document.addEventListener("htmx:sendError", () => showNotice("offline"));
  document.addEventListener("htmx:timeout", () => showNotice("offline"));
  document.addEventListener("htmx:responseError", (event) =>
    showNotice([400, 401, 403].includes(event.detail.xhr.status) ? "refused" : "failed"));

  setUpMenu();
  showTheme();
  countAll();
  showAllThatCount();
  unfold();
  focusErrors(document);
  all("[data-poll]").forEach(polled);
})();
