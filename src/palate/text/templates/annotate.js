"use strict";
// Labels of one person: kept in this browser, handed on as a file. Texts enter the page as text nodes only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const shelf = "palate-labels-" + data.page;
  const [at, pane] = [(id) => document.getElementById(id), document.getElementById("text")];
  let kept = { name: "", labels: {} };
  let [item, constraint, sentence, spans] = [0, 0, 0, []];

  try {
    kept = Object.assign(kept, JSON.parse(localStorage.getItem(shelf) || "{}"));
  } catch (error) {
    tell("This browser keeps nothing: download before you close the page.");
  }

  function tell(words) { at("status").textContent = words; }
  function keyOf(which, place) { return data.items[which].key + ":" + place; }
  function current() { return (kept.labels[keyOf(item, constraint)] ||= {}); }

  function keep() {
    const total = data.items.reduce((sum, one) => sum + one.constraints.length, 0);
    const done = Object.values(kept.labels).filter((one) => one.label).length;
    try {
      localStorage.setItem(shelf, JSON.stringify(kept));
      tell(`${done} of ${total} labelled`);
    } catch (error) {
      tell(`${done} of ${total} labelled; this browser keeps nothing: download before you close the page.`);
    }
  }

  function made(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function sentences(text) {
    const [found, end] = [[], /[.!?。！？]+[)\]”’"'»」』]*\s+|\n+|[。！？]/gu];
    let from = 0;
    while (end.exec(text)) { found.push([from, end.lastIndex]); from = end.lastIndex; }
    if (from < text.length) found.push([from, text.length]);
    return found;
  }

  function drawText() {
    const { start = 0, end = 0 } = current();
    const text = data.items[item].text;
    pane.replaceChildren(...spans.map(([from, to], place) => {
      const [low, high] = [Math.min(Math.max(start, from), to), Math.min(Math.max(end, from), to)];
      const span = made("span", { className: place === sentence ? "here" : "" }, text.slice(from, low));
      if (high > low) span.append(made("mark", {}, text.slice(low, high)));
      span.append(text.slice(Math.max(low, high), to));
      return span;
    }));
  }

  function drawConstraints() {
    at("main").textContent = data.items[item].main;
    at("constraints").replaceChildren(...data.items[item].constraints.map((words, place) => {
      const label = kept.labels[keyOf(item, place)] || {};
      const choices = data.labels.map((name) => made("label", {}, made("input", {
        type: "radio", name: "label" + place, id: name + place, value: name, checked: label.label === name,
        onchange: () => { choose(place); current().label = name; keep(); },
      }), " " + name));
      const box = made("textarea", {
        rows: 1, value: label.comment || "", placeholder: "comment", id: "comment" + place,
        oninput: () => { choose(place); current().comment = box.value; keep(); },
      });
      box.setAttribute("aria-label", "comment on constraint " + (place + 1));
      return made("fieldset", { className: place === constraint ? "current" : "", onclick: () => choose(place) },
        made("legend", {}, String(place + 1)), made("p", {}, words), made("p", {}, ...choices),
        made("p", { className: "quote" }, label.quote ? "“" + label.quote + "”" : ""), box);
    }));
  }

  function choose(place) {
    if (place === constraint) return;
    constraint = place;
    at("constraints").childNodes.forEach((one, number) => { one.className = number === place ? "current" : ""; });
    drawText();
  }

  function step(place) {
    choose(Math.min(Math.max(place, 0), data.items[item].constraints.length - 1));
    at("constraints").childNodes[constraint].scrollIntoView({ block: "nearest" });
  }

  function show(which) {
    item = Math.min(Math.max(which, 0), data.items.length - 1);
    [constraint, sentence, spans] = [0, 0, sentences(data.items[item].text)];
    at("which").selectedIndex = item;
    drawText();
    drawConstraints();
    pane.scrollTop = 0;
  }

  function walk(by) {
    sentence = Math.min(Math.max(sentence + by, 0), spans.length - 1);
    drawText();
    pane.childNodes[sentence].scrollIntoView({ block: "nearest" });
  }

  function selected() {
    const chosen = getSelection();
    if (!chosen.rangeCount || chosen.isCollapsed) return spans[sentence];
    const range = chosen.getRangeAt(0);
    if (!pane.contains(range.commonAncestorContainer)) return spans[sentence];
    const before = document.createRange();
    before.selectNodeContents(pane);
    before.setEnd(range.startContainer, range.startOffset);
    const start = before.toString().length;
    return [start, start + range.toString().length];
  }

  function mark() {
    let [start, end] = selected();
    const text = data.items[item].text;
    while (start < end && !text[start].trim()) start += 1;
    while (end > start && !text[end - 1].trim()) end -= 1;
    if (start < end) redraw({ start, end, quote: text.slice(start, end) });
  }

  function redraw(change) {
    const focused = document.activeElement.id;
    Object.assign(current(), change);
    getSelection().removeAllRanges();
    keep();
    drawText();
    drawConstraints();
    if (focused) at(focused)?.focus();
  }

  function label(name) { redraw({ label: name }); }

  // Offsets are counted in code points, as Python counts; JavaScript counts a sign beyond the first 65,536 as two.
  function points(text, end) { return Array.from(text.slice(0, end)).length; }

  function lines(name) {
    return data.items.flatMap((one) => one.constraints.map((_, place) => {
      const { label, start = null, end = null, quote = "", comment = "" } = kept.labels[one.key + ":" + place] || {};
      return label && JSON.stringify({
        item: one.key, id: one.id, constraint: place, label, annotator: name, quote, comment,
        start: end && points(one.text, start), end: end && points(one.text, end),
      });
    })).filter(Boolean);
  }

  function download() {
    const name = kept.name.trim();
    if (!name) { tell("Write your name first."); at("name").focus(); return; }
    const all = lines(name);
    if (!all.length) { tell("There are no labels yet."); return; }
    const file = new Blob([all.join("\n") + "\n"], { type: "application/jsonl" });
    const link = made("a", { href: URL.createObjectURL(file), download: `labels-${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.jsonl` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    tell(`${all.length} labels downloaded.`);
  }

  const keys = {
    j: () => step(constraint + 1), k: () => step(constraint - 1),
    y: () => label("Yes"), p: () => label("Partially"), n: () => label("No"),
    ".": () => walk(1), ",": () => walk(-1),
    m: mark, u: () => redraw({ start: undefined, end: undefined, quote: "" }),
    c: () => at("comment" + constraint).focus(),
    "[": () => show(item - 1), "]": () => show(item + 1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { document.activeElement.blur(); return; }
    const writing = event.target.matches("textarea, select, input:not([type=radio])");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  at("name").value = kept.name;
  at("name").oninput = () => { kept.name = at("name").value; keep(); };
  at("download").onclick = download;
  at("before").onclick = () => show(item - 1);
  at("after").onclick = () => show(item + 1);
  at("which").append(...data.items.map((one, number) => made("option", {}, `${number + 1}: ${one.id}`)));
  at("which").onchange = () => show(at("which").selectedIndex);
  show(0);
  keep();
})();
