"use strict";
// The frames of #graph: what the mouse is at, zoom by clicks, search by regular expression. The state is in the address.
(() => {
  const CHARACTER = 7.25, PADDING = 5, NEAR = 2e-4;     // pixels, pixels, per cent
  const graph = document.getElementById("graph"), details = document.getElementById("details");
  const frames = [...graph.querySelectorAll(".frame")].map((element, number) => ({
    element, number, text: element.querySelector("text"), y: parseFloat(element.getAttribute("y")),
    left: parseFloat(element.getAttribute("x")), width: parseFloat(element.getAttribute("width")),
    lines: element.querySelector("title").textContent.split("\n"), share: 0,
  }));
  if (!frames.length) return;
  const root = frames[0], state = { zoom: root, search: "" };
  const tools = document.querySelector(".tools") || addTools();
  const input = tools.querySelector("input"), reset = tools.querySelector("button"), matched = tools.querySelector("output");

  function addTools() {
    const place = document.createElementNS("http://www.w3.org/2000/svg", "foreignObject");
    for (const [name, value] of Object.entries({ x: "40%", y: 12, width: "59%", height: 32 })) place.setAttribute(name, value);
    const make = (parent, name, settings) =>
      parent.appendChild(Object.assign(document.createElementNS("http://www.w3.org/1999/xhtml", name), settings));
    const tools = make(place, "div", { className: "tools" });
    make(tools, "output");
    make(tools, "input", { type: "search", placeholder: "search: regular expression" });
    make(tools, "button", { textContent: "Reset zoom" });
    document.documentElement.appendChild(place);
    return tools;
  }

  function draw() {
    const target = state.zoom, right = target.left + target.width;
    for (const frame of frames) {
      const end = frame.left + frame.width;
      const inside = frame.y >= target.y && frame.left >= target.left - NEAR && end <= right + NEAR;
      const outer = frame.y < target.y && frame.left <= target.left + NEAR && end >= right - NEAR;
      frame.element.style.display = inside || outer ? "" : "none";
      frame.element.classList.toggle("outer", outer);
      frame.share = outer ? 1 : inside ? frame.width / target.width : 0;
      frame.element.setAttribute("x", (inside ? (frame.left - target.left) * 100 / target.width : 0) + "%");
      frame.element.setAttribute("width", frame.share * 100 + "%");
    }
    reset.disabled = target === root;
    fit();
  }

  function fit() {
    const pixels = graph.getBoundingClientRect().width;
    for (const frame of frames) {
      const characters = Math.floor((frame.share * pixels - 2 * PADDING) / CHARACTER), name = frame.lines[0];
      frame.text.textContent = name.length <= characters ? name : characters > 2 ? name.slice(0, characters - 1) + "…" : "";
    }
  }

  function search() {
    let pattern = null;
    try {
      pattern = state.search && new RegExp(state.search);
      input.classList.remove("wrong");
    } catch {
      input.classList.add("wrong");
    }
    let end = -1, sum = 0;
    for (const frame of frames) {
      const matches = Boolean(pattern) && frame !== root && pattern.test(frame.lines[0]);
      frame.element.classList.toggle("match", matches);
      if (matches && frame.left >= end - NEAR) {        // callers come before callees: what is inside counts once
        sum += frame.width;
        end = frame.left + frame.width;
      }
    }
    matched.textContent = pattern ? `${sum.toFixed(1)}% matched` : "";
  }

  function remember() {
    const words = new URLSearchParams();
    if (state.zoom !== root) words.set("zoom", state.zoom.number);
    if (state.search) words.set("search", state.search);
    history.replaceState(null, "", "#" + words);
  }

  function recall() {
    const words = new URLSearchParams(location.hash.slice(1));
    state.zoom = frames[words.get("zoom")] || root;
    state.search = input.value = words.get("search") || "";
    draw();
    search();
  }

  function zoom(frame) {
    state.zoom = frame;
    draw();
    remember();
  }

  function find(text) {
    state.search = input.value = text;
    search();
    remember();
  }

  const at = event => frames.find(frame => frame.element === event.target.closest("#graph .frame"));
  graph.addEventListener("click", event => at(event) && zoom(at(event)));
  graph.addEventListener("mouseover", event => { if (at(event)) details.textContent = at(event).lines.join("   "); });
  graph.addEventListener("mouseleave", () => { details.textContent = ""; });
  input.addEventListener("input", () => find(input.value));
  reset.addEventListener("click", () => zoom(root));
  addEventListener("keydown", event => {
    if (event.key === "Escape") zoom(root);
    if (event.key === "/" && event.target !== input) { event.preventDefault(); input.focus(); }
  });
  addEventListener("resize", fit);
  addEventListener("hashchange", recall);
  addEventListener("find", event => find(event.detail));
  recall();
})();
