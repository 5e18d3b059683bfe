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

  function stayClosed() { // what somebody has folded is folded on every page of theirs, until they unfold it
    const isClosed = (fold) => { try { return `closed:${fold.id}` in localStorage; } catch { return false; } };
    all("[data-stays-closed]").filter(isClosed).forEach((fold) => { fold.open = false; });
    document.addEventListener("toggle", ({ target }) => {
      if (!target.matches("[data-stays-closed]")) return;
      try {
        if (target.open) localStorage.removeItem(`closed:${target.id}`);
        else localStorage.setItem(`closed:${target.id}`, "");
      } catch { /* storage switched off */ }
    }, true);
  }

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
    if (item instanceof RadioNodeList && item[0].type === "radio") return item.value;
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

  // --- folded code --------------------------------------------------------------------------------------------------
  function unfoldAll(button) {
    const open = button.toggleAttribute("data-unfolded");
    [button.textContent, button.dataset.otherLabel] = [button.dataset.otherLabel, button.textContent];
    all("details", document.getElementById(button.dataset.unfold)).forEach((one) => { one.open = open; });
  }

  // --- polling ------------------------------------------------------------------------------------------------------
  function togglePause(button) {
    const poll = button.closest("[data-poll]");
    const paused = poll.toggleAttribute("data-paused");
    button.setAttribute("aria-pressed", String(paused));
  }

  function polled(poll) {
    const time = poll.querySelector("[data-poll-time]");
    time.textContent = new Date().toLocaleTimeString(document.documentElement.lang === "en" ? "en-GB" : "da-DK", {
      timeZone: "Europe/Copenhagen", // as every other time on the page
    });
    const summary = poll.querySelector("[data-summary]")?.textContent.trim() ?? "";
    const live = poll.querySelector("[data-poll-live]");
    if (live.textContent !== summary) live.textContent = summary;
  }

  // --- merging: only what the server has changed is touched, so that focus, ticks and what was unfolded stay ----------
  const served = new WeakMap(); // a node of the page -> the server's node that it was made of

  function remember(node, copy = node.cloneNode(true)) {
    served.set(node, copy);
    [...node.childNodes].forEach((child, place) => remember(child, copy.childNodes[place]));
    return node;
  }

  function mergeAttributes(node, before, after) {
    [...after.attributes].filter(({ name, value }) => before.getAttribute(name) !== value)
      .forEach(({ name, value }) => node.setAttribute(name, value));
    [...before.attributes].filter(({ name }) => !after.hasAttribute(name)).forEach(({ name }) => node.removeAttribute(name));
  }

  function mergeNode(node, after, touched) {
    const before = served.get(node);
    if (before.isEqualNode(after)) return;
    served.set(node, after);
    if (node.nodeType !== Node.ELEMENT_NODE) {
      node.data = after.data;
      return;
    }
    mergeAttributes(node, before, after);
    touched.push(node);
    mergeChildren(node, after, touched);
  }

  const isAlike = (node, other) => node.nodeName === other.nodeName && (node.id || "") === (other.id || "");

  function place(parent, node, last) { // after `last`, without moving what has the focus: that would lose it
    if (node.contains(document.activeElement)) while (node.previousSibling !== last) node.after(node.previousSibling);
    else parent.insertBefore(node, last ? last.nextSibling : parent.firstChild);
  }

  function mergeChildren(parent, after, touched) {
    const known = new Set([...parent.childNodes].filter((node) => served.has(node)));
    const pairs = [...after.childNodes].map((child) => {
      const node = [...known].find((other) => isAlike(other, child));
      known.delete(node);
      return [node, child];
    });
    known.forEach((node) => node.remove());
    let last = null;
    pairs.forEach(([found, child]) => {
      const node = found ?? remember(document.importNode(child, true), child);
      if (!found) touched.push(node);
      if ((last ? last.nextSibling : parent.firstChild) !== node) place(parent, node, last);
      if (found) mergeNode(found, child, touched);
      last = node;
    });
  }

  htmx.defineExtension("merge", {
    isInlineSwap: () => false,
    handleSwap(how, target, fragment) {
      if (how !== "merge") return false;
      const touched = [];
      mergeChildren(target, fragment, touched);
      return touched;
    },
  });

  const rememberAll = (root) => all("[data-merge]", root).flatMap((region) => [...region.childNodes])
    .filter((node) => !served.has(node)).forEach((node) => remember(node));

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
    if (found("[data-unfold]")) unfoldAll(found("[data-unfold]"));
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
    if (!target.isConnected) { // a poll of a list that was filtered anew meanwhile
      event.detail.shouldSwap = false;
      return;
    }
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
    if (!target.matches("[data-merge]")) rememberAll(target);
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
    const unchanged = event.detail.xhr?.status === 204 && event.target.closest("[data-poll]");
    if (unchanged) polled(unchanged);
  });
  document.addEventListener("htmx:oobBeforeSwap", (event) => { // what somebody types in a dialog stays
    if (event.detail.target.querySelector("dialog[open]")) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:sendError", () => showNotice("offline"));
  document.addEventListener("htmx:timeout", () => showNotice("offline"));
  document.addEventListener("htmx:responseError", (event) =>
    showNotice([400, 401, 403].includes(event.detail.xhr.status) ? "refused" : "failed"));

  rememberAll(document);
  setUpMenu();
  showTheme();
  countAll();
  showAllThatCount();
  stayClosed();
  unfold();
  focusErrors(document);
  all("[data-poll]").forEach(polled);
})();
