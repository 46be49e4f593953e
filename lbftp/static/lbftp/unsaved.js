// Whoever leaves a page with something typed and not saved is asked first. Forms that replace stored values are meant:
// they carry the hidden field `seen`.
"use strict";

(() => {
  let sent = null; // the form that is on its way

  function changed(field) {
    if (!field.name || field.disabled || field.type === "hidden") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.type === "select-one" || field.type === "select-multiple") return chosen(field);
    return "defaultValue" in field && field.value !== field.defaultValue;
  }

  // Where nothing is marked as selected, browsers take the first option.
  function chosen(select) {
    const options = [...select.options];
    const none = select.type === "select-one" && !options.some((option) => option.defaultSelected);
    return options.some((option, place) => option.selected !== (none ? place === 0 : option.defaultSelected));
  }

  function unsaved(form) {
    if (form === sent || !form.elements.namedItem("seen")) return false;
    return form.querySelector("[data-not-saved]") !== null || [...form.elements].some(changed);
  }

  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) sent = event.target;
  });

  // Cancel says that it is meant.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-discards]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) sent = link.closest("form");
  });

  window.addEventListener("pageshow", () => (sent = null));

  window.addEventListener("beforeunload", (event) => {
    if ([...document.forms].some(unsaved)) event.preventDefault();
  });
})();
