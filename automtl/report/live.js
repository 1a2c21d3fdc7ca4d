// A page that is served asks every few seconds whether there is a newer one, and loads it as the
// reader left this one: same place, same choices. A page on a disk is without this script.
(() => {
  "use strict";
  const EVERY_MS = 3000;
  const KEY = "automtl-left";
  const state = document.getElementById("live");

  // ---- what the reader has set, by section and place in it -----------------------------------

  const settings = () => document.querySelectorAll(":is(section, footer) :is(select, input, details)");
  const name = (node) => {
    const part = node.closest("section, footer");
    const title = part.getAttribute("aria-labelledby") || part.getAttribute("aria-label");
    return `${title} ${node.tagName} ${[...part.querySelectorAll(node.tagName)].indexOf(node)}`;
  };
  const property = (node) =>
    node.tagName === "DETAILS" ? "open" : node.type === "checkbox" ? "checked" : "value";
  const sorted = () => document.querySelector("#trials th[aria-sort]");

  function leave() {
    const header = sorted();
    sessionStorage.setItem(KEY, JSON.stringify({
      top: scrollY,
      settings: Object.fromEntries([...settings()].map((node) => [name(node), node[property(node)]])),
      sort: header && { column: header.cellIndex, order: header.getAttribute("aria-sort") },
    }));
    history.scrollRestoration = "manual";
    location.reload();
  }

  function comeBack() {
    const left = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    if (!left) return;
    for (const node of settings()) {
      const [key, value] = [property(node), left.settings[name(node)]];
      if (value === undefined || node[key] === value) continue;
      if (node.options && ![...node.options].some((option) => option.value === value)) continue;
      node[key] = value;
      node.dispatchEvent(new Event("change"));
    }
    if (left.sort) {
      const header = document.querySelector("#trials thead tr").cells[left.sort.column];
      do header.querySelector("button").click();
      while (header.getAttribute("aria-sort") !== left.sort.order);
    }
    scrollTo(0, left.top);
  }

  // ---- is there a newer one? -----------------------------------------------------------------

  async function isNewer() {
    // nobody looks, or somebody is about to copy
    if (document.hidden || !getSelection().isCollapsed) return false;
    try {
      const answer = await fetch("version", { cache: "no-store" });
      state.textContent = "live";
      return answer.ok && (await answer.text()) !== state.dataset.version;
    } catch {
      state.textContent = "no longer live: its server has ended";
      return false;
    }
  }

  const ask = async () => ((await isNewer()) ? leave() : setTimeout(ask, EVERY_MS));
  comeBack();
  setTimeout(ask, EVERY_MS);
})();
