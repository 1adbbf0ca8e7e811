// The keyboard. Every key does what a button or checkbox on the page does; without this script the page works.
"use strict";

const $ = (id) => document.getElementById(id);
const coding = $("coding");
const find = $("find");

// show only what holds every word that was typed
const filter = () => {
  const wanted = find.value.trim().toLowerCase().split(/\s+/);
  for (const one of document.querySelectorAll("[data-find]")) {
    one.hidden = !wanted.every((word) => one.dataset.find.includes(word));
  }
};
if (find) find.addEventListener("input", filter);

// what is being decided or shown after the queue has ended can be taken back, too
if (!coding) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input:not([type=checkbox]), textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "u" && $("undo")?.elements.last.value) $("undo").requestSubmit();
    else if (event.key === "/" && find) { find.focus(); event.preventDefault(); }
  });
}

if (coding) {
  const rows = [...document.querySelectorAll("#suggestions li:not(.none)")];
  const words = [...document.querySelectorAll("#passage span[data-at]")];
  let here = 0;
  let cut = -1;

  const say = (text) => { $("said").textContent = text; };
  const box = (row) => row.querySelector("input[type=checkbox]");
  const named = (one) => one.labels[0].firstChild.textContent.trim();
  const set = (one, on) => {
    if (!one) return;
    one.checked = on;
    say(`${named(one)}: ${on ? "yes" : "no"}`);
  };
  const go = (to) => {
    if (!rows.length) return;
    rows[here].classList.remove("here");
    here = Math.max(0, Math.min(rows.length - 1, to));
    rows[here].classList.add("here");
    box(rows[here]).focus();
  };
  const press = (value) => coding.querySelector(`button[name=do][value=${value}]`).click();
  const valence = (code) => ["#valence", "#suggestions", "#all"]
    .map((place) => document.querySelector(`${place} input[type=checkbox][value="${code}"]`)).find((one) => one);
  const flip = (code) => { const one = valence(code); if (one) set(one, !one.checked); };

  const mark = (to) => {
    if (cut >= 0 && words[cut]) words[cut].classList.remove("cut");
    cut = to < 0 ? -1 : Math.max(1, Math.min(words.length - 1, to));
    if (cut >= 0) {
      words[cut].classList.add("cut");
      words[cut].scrollIntoView({ block: "nearest" });
      say(`the second part begins with “${words[cut].textContent}”`);
    }
  };
  const split = (word) => {
    const form = $("recut");
    form.elements.place.value = word.dataset.at;
    const how = document.createElement("input");
    Object.assign(how, { type: "hidden", name: "how", value: "split" });
    form.append(how);
    form.submit();
  };
  const begin = () => { if (words.length > 1) { document.activeElement.blur(); mark(Math.ceil(words.length / 2)); } };

  const first = (on) => {
    const found = [...document.querySelectorAll("#all li:not([hidden])")].filter((one) => one.querySelector("label"));
    const typed = find.value.trim().toLowerCase();
    const row = found.find((one) => one.querySelector("label").textContent.toLowerCase().includes(typed)) || found[0];
    if (!row) { say("no code has this name"); return; }
    const one = row.querySelector("input") || $(row.querySelector("label").htmlFor);
    set(one, on);
    find.value = "";
    filter();
    find.blur();
  };

  $("split").addEventListener("click", begin);
  $("help").addEventListener("click", () => $("keys").showModal());
  for (const word of words) word.addEventListener("click", () => { if (cut >= 0) split(word); });

  const keys = {
    ArrowDown: () => go(here + 1), j: () => go(here + 1),
    ArrowUp: () => go(here - 1), k: () => go(here - 1),
    a: () => rows.length && set(box(rows[here]), true),
    r: () => rows.length && set(box(rows[here]), false),
    b: () => flip("barrier"), e: () => flip("enabler"),
    "/": () => find.focus(), m: () => $("memo").focus(),
    d: () => {
      const about = rows.length && $(`about-${box(rows[here]).value}`);
      if (about) { about.open = !about.open; about.closest("li").scrollIntoView({ block: "nearest" }); }
    },
    Enter: () => press("next"), s: () => press("skip"), f: () => press("flag"),
    u: () => { if ($("undo").elements.last.value) $("undo").requestSubmit(); else say("there is nothing to take back"); },
    x: begin,
    "[": () => $("merge-before")?.click(), "]": () => $("merge-after")?.click(),
    "?": () => $("keys").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const at = event.target;
    if (at === find || at === $("memo")) {
      if (event.key === "Escape") { at.blur(); event.preventDefault(); }
      if (event.key === "Enter" && at === find) { first(!event.shiftKey); event.preventDefault(); }
      return;
    }
    if (cut >= 0) {
      const steps = { ArrowLeft: -1, ArrowRight: 1 };
      if (event.key in steps) mark(cut + steps[event.key]);
      else if (event.key === "Enter") split(words[cut]);
      else if (event.key === "Escape") { mark(-1); say(""); }
      else return;
      event.preventDefault();
      return;
    }
    if (event.key === "Enter" && at.matches("button, a, summary")) return;
    if (/^[1-9]$/.test(event.key)) {
      const row = rows[Number(event.key) - 1];
      if (row) { go(Number(event.key) - 1); set(box(row), !box(row).checked); }
    } else if (event.key in keys) {
      keys[event.key]();
    } else return;
    event.preventDefault();
  });
}
