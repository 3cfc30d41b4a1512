// What the pages of people who answer do more where scripts run: keys, the time that an answer took,
// and the next question without a reload. Everything works without it.

"use strict";

(() => {
  const KEYS = "palate-keys"; // whether keys answer, as the reader left it
  const TRIES = "The service could not be reached, and your answer is not kept yet. Please try again.";
  let began = null; // when the question was first seen
  let busy = false;

  const main = () => document.getElementById("main");
  const say = (text) => {
    document.getElementById("live").textContent = text;
  };

  function keysAreOn() {
    try {
      return localStorage.getItem(KEYS) !== "off";
    } catch {
      return true;
    }
  }

  function switchKeys() {
    try {
      localStorage.setItem(KEYS, keysAreOn() ? "off" : "on");
    } catch {
      // Where nothing may be stored they stay on.
    }
    showKeys();
  }

  function showKeys() {
    const line = document.getElementById("keys");
    if (line === null) return;
    const button = document.getElementById("keys-off");
    line.hidden = false;
    button.textContent = keysAreOn() ? "Keys are on" : "Keys are off";
    button.setAttribute("aria-pressed", String(keysAreOn()));
  }

  function start() {
    began = document.hidden ? null : performance.now();
    showKeys();
    say("");
  }

  // The next question

  async function send(form, button) {
    if (busy) return;
    busy = true;
    const body = new URLSearchParams(new FormData(form, button));
    if (body.has("ms")) body.set("ms", began === null ? "" : Math.round(performance.now() - began));
    main().setAttribute("aria-busy", "true");
    try {
      const reply = await fetch(form.action, { method: "POST", body });
      if (!reply.ok && reply.status !== 422) throw new Error(reply.statusText);
      show(await reply.text(), reply.url);
    } catch {
      complain();
    } finally {
      busy = false;
      main().removeAttribute("aria-busy");
    }
  }

  function show(text, url) {
    const next = new DOMParser().parseFromString(text, "text/html");
    const found = next.getElementById("main");
    if (found === null) throw new Error("not a page of this service");
    main().replaceWith(document.adoptNode(found));
    document.title = next.title;
    const clean = new URL(url);
    const order = clean.searchParams.get("order");
    // Only a form that was sent leads to an address that can be asked for again.
    if (!/\/(answer|undo)$/.test(clean.pathname)) {
      history.replaceState(null, "", clean.pathname + (order === null ? "" : "?order=1"));
    }
    start();
    window.scrollTo(0, 0);
    const heading = document.getElementById("problem") ?? document.getElementById("question");
    if (heading !== null) {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
    const told = ["note", "progress"].map((id) => document.getElementById(id)?.textContent ?? "");
    say(told.join(" ").trim());
  }

  function complain() {
    let note = document.getElementById("problem");
    if (note === null) {
      note = document.createElement("p");
      note.id = "problem";
      note.className = "note problem";
      note.setAttribute("role", "alert");
      document.querySelector(".bar, .next").before(note);
    }
    note.textContent = TRIES;
  }

  // An order, by digits

  const places = () => [...document.querySelectorAll("select[data-card]")];
  const given = () => places().filter((place) => place.value !== "");

  function putNext(digit) {
    const place = places().find((one) => one.dataset.card === digit);
    if (place === undefined || place.value !== "") return;
    place.value = String(given().length + 1);
    say(`Response ${digit}: place ${place.value}`);
  }

  function takeBack() {
    const last = given().sort((a, b) => a.value - b.value).pop();
    if (last === undefined) return;
    last.value = "";
    say(`Response ${last.dataset.card}: no place`);
  }

  // Keys

  function meant(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return document.querySelector(`#main [data-key="${CSS.escape(key)}"]:not(:disabled)`);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    const typed = event.target.closest("input, select, textarea, [contenteditable]") !== null;
    const own = event.target.closest("a, button, summary, select") !== null;
    if (!keysAreOn() || (typed && !/^\d$/.test(event.key)) || (own && event.key === "Enter")) return;
    if (places().length > 0 && /^\d$/.test(event.key)) putNext(event.key);
    else if (places().length > 0 && event.key === "Backspace") takeBack();
    else if (typed || meant(event) === null) return;
    else meant(event).click();
    event.preventDefault();
  }

  document.addEventListener("keydown", onKey);
  document.addEventListener("submit", (event) => {
    if (event.target.closest("#main") === null) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  document.addEventListener("click", (event) => {
    if (event.target.id === "keys-off") switchKeys();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && began === null) began = performance.now();
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // gone back to: what is asked may have changed
  });
  start();
})();
