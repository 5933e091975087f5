// Shows only the operations that contain what is typed, and opens what the address points to.
"use strict";
const operations = [...document.querySelectorAll("details.operation")];
const headings = new Map(operations.map((one) => [one, one.querySelector("summary").textContent.toLowerCase()]));

document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const one of operations) one.hidden = !words.every((word) => headings.get(one).includes(word));
  for (const section of document.querySelectorAll("section")) {
    const within = [...section.querySelectorAll("details.operation")];
    section.hidden = within.length > 0 && within.every((one) => one.hidden);
  }
});

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}
addEventListener("hashchange", open);
open();
