// lbftp: theme, live fragments, and a few small things. No build step, no inline handlers.
"use strict";

(() => {
  const root = document.documentElement;
  const THEMES = ["auto", "light", "dark"];

  // ---- theme: applied before the body is drawn, so that the page never flashes -------------------------------------

  function theme() {
    try {
      return localStorage.getItem("lbftp-theme") || "auto";
    } catch {
      return "auto"; // storage may be forbidden; the system's choice then counts
    }
  }

  function showTheme(name) {
    if (name === "auto") root.removeAttribute("data-theme");
    else root.dataset.theme = name;
    for (const button of document.querySelectorAll("[data-theme-button]")) {
      button.textContent = `Theme: ${name}`;
    }
  }

  function nextTheme() {
    const name = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    try {
      localStorage.setItem("lbftp-theme", name);
    } catch {
      // shown for this page only
    }
    showTheme(name);
  }

  showTheme(theme());

  // ---- morph: make `old` look like `fresh` and keep the nodes, so that focus, selection, scrolling and opened
  //      details survive an update. Elements are matched by id, else by position and tag. ----------------------------

  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.hasAttribute("data-link") || old.hasAttribute("data-own")) return; // what this browser alone knows
    morphAttributes(old, fresh);
    if (old.matches("input, textarea, select") && old === document.activeElement) return;
    morphChildren(old, fresh);
  }

  function morphAttributes(old, fresh) {
    const chosen = old.hasAttribute("data-chosen"); // a person opened or closed it: theirs to decide
    for (const { name, value } of fresh.attributes) {
      if (!(chosen && name === "open") && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (fresh.hasAttribute(name) || name === "data-chosen" || (chosen && name === "open")) continue;
      if (!name.startsWith("data-kept-")) old.removeAttribute(name);
    }
  }

  function morphChildren(old, fresh) {
    const named = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
    for (const child of [...old.children]) if (child.id && !named.has(child.id)) child.remove();
    let here = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const twin = child.id && [...old.children].find((one) => one.id === child.id);
      if (twin) {
        here = bring(old, here, twin).nextSibling;
        morph(twin, child);
      } else if (here && !here.id && !child.id && here.nodeName === child.nodeName) {
        const next = here.nextSibling;
        morph(here, child);
        here = next;
      } else {
        old.insertBefore(child, here);
      }
    }
    while (here) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
  }

  // Makes `twin` the node at `here`. What stands between is taken away rather than `twin` moved: a moved field loses focus.
  function bring(parent, here, twin) {
    while (here && here !== twin && !here.id && here.compareDocumentPosition(twin) & Node.DOCUMENT_POSITION_FOLLOWING) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
    if (here !== twin) parent.insertBefore(twin, here);
    return twin;
  }

  function swap(target, fragment) {
    const fresh = fragment.firstElementChild;
    const followed = [...target.querySelectorAll("[data-follow]")].filter(
      (box) => box.scrollTop + box.clientHeight >= box.scrollHeight - 8,
    );
    morph(target, fresh);
    const boxes = [...target.querySelectorAll("[data-follow]")];
    for (const box of boxes) if (followed.includes(box) || !box.dataset.keptSeen) box.scrollTop = box.scrollHeight;
    for (const box of boxes) box.dataset.keptSeen = "1";
    tick();
    return [target];
  }

  // ---- live: a socket says "look again"; the page then gets the same fragment that it was drawn with ---------------

  const PAUSE = 250; // at most four looks a second, and always a last one
  const POLL = 5000; // without a socket the page still looks, slowly
  const OFF = "Reconnecting; looking every 5 s";
  const AWAY = "The site does not answer; asking every 5 s";
  const SIGNED_OUT = 4401; // the code with which a socket closes when the session has ended

  // Whether session.js knows that nobody is signed in here any more.
  function over() {
    return root.dataset.session === "over";
  }

  class Live {
    constructor(element) {
      this.element = element;
      this.sockets = new Map();
      this.busy = false;
      this.again = false;
      this.lookedAt = 0;
      this.answered = true;
      this.delay = 500;
      element.addEventListener("htmx:afterRequest", (event) => {
        if (event.target === element) this.looked(event.detail.successful);
      });
      this.connect();
    }

    get wanted() {
      return (this.element.dataset.live || "").split(" ").filter(Boolean);
    }

    connect() {
      if (over()) return;
      for (const [path, socket] of this.sockets) {
        if (!this.wanted.includes(path)) {
          this.sockets.delete(path);
          socket.close();
        }
      }
      for (const path of this.wanted) if (!this.sockets.has(path)) this.open(path);
      this.show();
    }

    open(path) {
      const url = new URL(path, location.href);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(url);
      this.sockets.set(path, socket);
      socket.addEventListener("open", () => {
        this.delay = 500;
        this.show();
        this.look(); // what happened while nobody listened
      });
      socket.addEventListener("message", (event) => this.hint(JSON.parse(event.data)));
      socket.addEventListener("close", (event) => {
        if (event.code === SIGNED_OUT) document.dispatchEvent(new CustomEvent("lbftp:session-over"));
        this.closed(path, socket);
      });
    }

    closed(path, socket) {
      if (this.sockets.get(path) !== socket) return;
      this.sockets.delete(path);
      this.show();
      if (!this.element.isConnected || over()) return;
      setTimeout(() => this.connect(), this.delay);
      this.delay = Math.min(this.delay * 2, 8000);
    }

    // The session is over: nothing more is asked until somebody signs in again.
    leave() {
      const sockets = [...this.sockets.values()];
      this.sockets.clear();
      for (const socket of sockets) socket.close();
      this.show();
    }

    hint(message) {
      const mine = String(message.run) === this.element.dataset.run;
      if (mine && Number(message.seq) <= Number(this.element.dataset.seq)) return;
      this.look();
    }

    look() {
      if (over()) return;
      if (this.busy || this.timer) {
        this.again = this.busy || this.again;
        return;
      }
      const wait = Math.max(0, this.lookedAt + PAUSE - Date.now());
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.busy = true;
        this.lookedAt = Date.now();
        window.htmx.trigger(this.element, "look");
      }, wait);
    }

    looked(answered) {
      this.busy = false;
      this.answered = answered;
      if (this.element.dataset.title) document.title = this.element.dataset.title;
      this.connect();
      if (this.again) {
        this.again = false;
        this.look();
      }
    }

    show() {
      const on = this.wanted.length > 0 && this.wanted.every((path) => this.sockets.get(path)?.readyState === 1);
      for (const sign of document.querySelectorAll("[data-link]")) {
        sign.hidden = this.wanted.length === 0;
        sign.dataset.link = on ? "on" : "off";
        sign.textContent = on ? "Live" : over() ? "Signed out" : this.answered ? OFF : AWAY;
      }
      this.on = on;
    }
  }

  const lives = [];

  function poll() {
    for (const live of lives) if (live.wanted.length && !live.on) live.look();
  }

  // ---- times that go on: <time data-since="…"> shows how long something has been going on, data-until how long still --

  function tick() {
    for (const time of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dataset.since)) / 1000));
      time.textContent = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    }
    for (const time of document.querySelectorAll("[data-until]")) {
      const seconds = Math.round((Date.parse(time.dataset.until) - Date.now()) / 1000);
      const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      time.textContent = seconds > 0 ? `in ${clock}` : "now";
    }
  }

  // ---- folded sections open themselves when something in them has become wrong -------------------------------------

  function unfold() {
    for (const fold of document.querySelectorAll(".fold")) {
      const problems = fold.querySelectorAll(".problem:not(.info)").length;
      if (problems > Number(fold.dataset.keptProblems || 0)) fold.open = true;
      fold.dataset.keptProblems = problems;
    }
  }

  // ---- start -------------------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-button]");
    if (button) nextTheme();
    const summary = event.target.closest("summary");
    if (summary) summary.parentElement.setAttribute("data-chosen", "");
    const copy = event.target.closest("[data-copy]");
    if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => (copy.textContent = "Copied"));
  });

  document.addEventListener("htmx:afterSettle", unfold);

  document.addEventListener("lbftp:signed-out", () => {
    for (const live of lives) live.leave();
  });

  document.addEventListener("lbftp:signed-in", () => {
    for (const live of lives) {
      live.connect();
      if (live.wanted.length) live.look();
    }
  });

  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-select]")) event.target.select();
  });

  // A form that was sent is not sent twice by an impatient hand.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    for (const button of event.target.querySelectorAll("button[type=submit]")) {
      setTimeout(() => (button.disabled = true), 0);
    }
  });

  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("form button[type=submit]:disabled:not([data-never])")) button.disabled = false;
  });

  document.addEventListener("DOMContentLoaded", () => {
    showTheme(theme());
    window.htmx?.defineExtension("morph", {
      isInlineSwap: (style) => style === "morph",
      handleSwap: (style, target, fragment) => (style === "morph" ? swap(target, fragment) : false),
    });
    for (const element of document.querySelectorAll("[data-live]")) lives.push(new Live(element));
    for (const box of document.querySelectorAll("[data-follow]")) {
      box.scrollTop = box.scrollHeight;
      box.dataset.keptSeen = "1";
    }
    tick();
    setInterval(tick, 1000);
    setInterval(poll, POLL);
    window.lbftp = { lives }; // for tests and the curious
  });
})();
