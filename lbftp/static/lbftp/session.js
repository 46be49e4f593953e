// lbftp: a page outlives its session, and says so instead of losing what is on it or what was typed.
"use strict";

(() => {
  const root = document.documentElement;

  function over() {
    return root.dataset.session === "over";
  }

  // Who is signed in in this browser now: a name, null for nobody, undefined if the site does not answer.
  async function whoIsHere() {
    try {
      const answer = await fetch(document.body.dataset.session, { headers: { Accept: "application/json" } });
      return answer.ok ? (await answer.json()).person : undefined;
    } catch {
      return undefined;
    }
  }

  function typedSomething() {
    return [...document.querySelectorAll("main input, main textarea")].some((field) =>
      ["checkbox", "radio"].includes(field.type)
        ? field.checked !== field.defaultChecked
        : field.type !== "hidden" && field.value !== field.defaultValue,
    );
  }

  function sayOver(name, who) {
    const notice = document.getElementById("session-notice");
    const words = document.getElementById(name);
    if (!notice || !words) return;
    root.dataset.session = "over";
    document.dispatchEvent(new CustomEvent("lbftp:signed-out"));
    if (notice.dataset.says === name) return;
    notice.dataset.says = name;
    notice.replaceChildren(words.content.cloneNode(true));
    const link = notice.querySelector("[data-sign-in-again]");
    const here = location.pathname + location.search;
    if (who) notice.querySelector("[data-who]").textContent = who;
    link.href = who ? here : `${document.body.dataset.signIn}?next=${encodeURIComponent(here)}`;
    keepWhatWasTyped(link);
  }

  // In a new tab this page stays as it is; it notices by itself when somebody signed in there.
  function keepWhatWasTyped(link) {
    const opens = document.getElementById("session-notice").dataset.says === "signed-out" && typedSomething();
    link.target = opens ? "_blank" : "";
    if (opens) link.textContent = "Sign in again in a new tab";
  }

  function signedOut() {
    sayOver("signed-out", "");
  }

  // Whoever signs out here knows it: until the next page comes this one asks nothing more, and says nothing.
  function leave() {
    root.dataset.session = "over";
    document.dispatchEvent(new CustomEvent("lbftp:signed-out"));
  }

  function signedInAgain() {
    const notice = document.getElementById("session-notice");
    delete root.dataset.session;
    delete notice.dataset.says;
    notice.replaceChildren();
    document.dispatchEvent(new CustomEvent("lbftp:signed-in"));
  }

  // True if this page's person is signed in, or the site does not answer (then sending shows what is wrong).
  async function isMine() {
    const who = await whoIsHere();
    if (who === null) signedOut();
    else if (who !== undefined && who !== document.body.dataset.person) sayOver("somebody-else", who);
    else if (over() && who) signedInAgain();
    return who === undefined || who === document.body.dataset.person;
  }

  // Signing in changes the token that forms have to carry; this page's forms are older than that.
  function token() {
    return /(?:^|; )(?:__Host-)?csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  }

  const asked = new WeakSet();
  const asking = new WeakSet();

  // Asked before a form is sent: what was typed would be lost on the way to the sign-in page.
  async function askFirst(event) {
    const form = event.target;
    if (!document.body.dataset.person || form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (asked.delete(form)) {
      const field = form.elements.csrfmiddlewaretoken;
      if (field && token()) field.value = token();
      if ("signsOut" in form.dataset) leave();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (asking.has(form)) return;
    asking.add(form);
    const mine = await isMine();
    asking.delete(form);
    if (mine) {
      asked.add(form);
      form.requestSubmit(event.submitter);
    } else {
      document.querySelector("[data-sign-in-again]")?.focus();
    }
  }

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.parameters.csrfmiddlewaretoken && token()) event.detail.parameters.csrfmiddlewaretoken = token();
  });

  document.addEventListener("lbftp:session-over", signedOut);

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr?.status === 401) signedOut();
  });

  document.addEventListener("submit", askFirst, true);

  document.addEventListener("input", () => {
    const link = document.querySelector("[data-sign-in-again]");
    if (link) keepWhatWasTyped(link);
  });

  document.addEventListener("visibilitychange", () => {
    if (over() && !document.hidden) isMine();
  });

  window.addEventListener("focus", () => {
    if (over()) isMine();
  });
})();
