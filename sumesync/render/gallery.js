"use strict";
// The page is whole without this: it adds filters, the large view, keys and the slider. It writes no markup of its own
// and asks nobody for anything.
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (where, selector) => Array.from(where.querySelectorAll(selector));
  document.documentElement.classList.add("js");
  const cards = all(document, ".card");
  if (!cards.length) return;
  const view = $("view"), body = $("body"), search = $("search"), grid = document.querySelector(".grid");
  const chips = all(document, ".chip"), choices = all(document, "select[data-group]");
  const unseen = (card) => card.hidden;
  const shown = () => cards.filter((card) => !unseen(card));
  const link = (card) => card.querySelector(".open");
  let words = null; // what is searched, gathered when somebody searches
  let at = null;

  // --- Filters ---
  function fits(card, index, wanted, asked) {
    const own = card.dataset;
    return Object.entries(wanted).every(([group, values]) => values.includes(own[group] || "")) &&
      choices.every((choice) => choice.value === "/" ||
        (choice.id === "tag" ? (own.tags || "").split("\n").includes(choice.value) : own.folder === choice.value)) &&
      asked.every((word) => words[index].includes(word));
  }
  function filter() {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (asked.length && !words) words = cards.map((card) => card.textContent.toLowerCase());
    const wanted = {};
    for (const chip of chips)
      if (chip.getAttribute("aria-pressed") === "true") (wanted[chip.dataset.group] ||= []).push(chip.dataset.value);
    let number = 0;
    cards.forEach((card, index) => {
      card.hidden = !fits(card, index, wanted, asked);
      number += card.hidden ? 0 : 1;
    });
    const total = cards.length.toLocaleString("en"), some = number.toLocaleString("en");
    $("count").textContent = (number === cards.length ? total : some + " of " + total) + " shown";
    $("nothing").hidden = number > 0;
  }
  function clear() {
    search.value = "";
    for (const choice of choices) choice.value = "/";
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    filter();
    search.focus();
  }
  for (const chip of chips)
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  for (const choice of choices) choice.addEventListener("change", filter);
  search.addEventListener("input", filter);
  $("clear").addEventListener("click", clear);

  // --- The large view ---
  function show(card) {
    at = card;
    const detail = card.querySelector(".detail").cloneNode(true);
    body.replaceChildren(detail);
    body.scrollTop = 0;
    all(body, ".compare").forEach(slider);
    for (const film of all(body, "video, audio")) film.preload = "metadata";
    $("title").textContent = link(card).textContent;
    const row = shown(), place = row.indexOf(card);
    $("place").textContent = place < 0 ? "" : place + 1 + " of " + row.length;
    $("previous").disabled = place <= 0;
    $("next").disabled = place < 0 || place === row.length - 1;
    if (!view.open) view.showModal();
    history.replaceState(null, "", "#" + card.id);
  }
  function step(by) {
    const row = shown(), next = row[row.indexOf(at) + by];
    if (next) {
      show(next);
      $("title").focus({ preventScroll: true });
    }
  }
  view.addEventListener("close", () => {
    body.replaceChildren(); // a film stops
    history.replaceState(null, "", location.pathname + location.search);
    if (at && !unseen(at)) link(at).focus();
    at = null;
  });
  view.addEventListener("click", (event) => { if (event.target === view) view.close(); });
  $("close").addEventListener("click", () => view.close());
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  grid.addEventListener("click", (event) => {
    const opened = event.target.closest(".open");
    if (!opened || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    show(opened.closest(".card"));
  });
  body.addEventListener("click", (event) => {
    const button = event.target.closest(".copy");
    if (button) copy(button);
  });
  async function copy(button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      done = false;
    }
    button.textContent = done ? "Copied" : "Select it and copy";
    $("told").textContent = button.textContent;
  }

  // --- Before and after ---
  function slider(compare) {
    const pair = compare.querySelector(".pair"), range = compare.querySelector("input"), mode = compare.querySelector(".mode");
    const cut = () => {
      pair.style.setProperty("--cut", range.value);
      range.setAttribute("aria-valuetext", range.value + " % before");
    };
    const drag = (event) => {
      if (!compare.classList.contains("over") || !(event.buttons & 1)) return;
      event.preventDefault();
      const box = pair.getBoundingClientRect();
      range.value = String(Math.round((event.clientX - box.left) / box.width * 100));
      cut();
    };
    const after = pair.querySelector(":scope > :last-child img");
    compare.style.setProperty("--ratio", String((after.getAttribute("width") || 1) / (after.getAttribute("height") || 1)));
    compare.classList.add("over");
    range.addEventListener("input", cut);
    pair.addEventListener("pointerdown", drag);
    pair.addEventListener("pointermove", drag);
    mode.addEventListener("click", () => {
      const over = compare.classList.toggle("over");
      mode.setAttribute("aria-pressed", String(!over));
      range.disabled = !over;
    });
    cut();
  }

  // --- Keys ---
  function across(row) {
    const top = row[0].offsetTop, second = row.findIndex((card) => card.offsetTop !== top);
    return second < 0 ? row.length : second;
  }
  function move(event, card) {
    const row = shown(), here = row.indexOf(card);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(row), ArrowDown: across(row), Home: -here, End: row.length - 1 - here };
    const next = event.key in steps ? row[here + steps[event.key]] : null;
    if (!next) return;
    event.preventDefault();
    link(next).focus();
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, select, textarea, video, audio");
    if (view.open) {
      if (!typing && event.key === "ArrowLeft") step(-1);
      if (!typing && event.key === "ArrowRight") step(1);
      return;
    }
    if (event.key === "Escape" && event.target === search) {
      search.value = "";
      filter();
    } else if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    } else if (event.target.classList.contains("open")) {
      move(event, event.target.closest(".card"));
    } else if (event.key === "ArrowDown" && event.target === search && shown().length) {
      event.preventDefault();
      link(shown()[0]).focus();
    }
  });

  filter();
  const named = location.hash && $(decodeURIComponent(location.hash.slice(1)));
  if (named && cards.includes(named)) show(named);
})();
