// The field for a new password: says what it must be like before that is broken, and how strong it is while it is typed.
// How strong it is, is found out in this browser (strength.js). Without the rules or that, the form works all the same.

import { call } from "./api.js";
import { say } from "./ui.js";

const KINDS = {
  lowercase: { text: "A small letter", holds: (typed) => /\p{Ll}/u.test(typed) },
  uppercase: { text: "A capital letter", holds: (typed) => /\p{Lu}/u.test(typed) },
  number: { text: "A digit", holds: (typed) => /\p{Nd}/u.test(typed) },
  special: { text: "A sign such as ! or ?", holds: (typed) => /[!-/:-@[-`{-~]/.test(typed) },
};
const VERDICTS = ["Very easy to guess", "Easy to guess", "Not easy to guess", "Hard to guess", "Very hard to guess"];
const QUIET_MS = 1200;
const encoder = new TextEncoder();

function length({ min_length: least, max_length: most, max_bytes: bytes }) {
  return {
    text: `${least} to ${Math.min(most ?? bytes, bytes)} characters`,
    holds: (typed) => {
      const characters = [...typed].length;
      return characters >= least && characters <= (most ?? bytes) && encoder.encode(typed).length <= bytes;
    },
  };
}

/** The rules in words, each with whether a password that scores so much holds it. */
function inWords(rules) {
  const all = [length(rules), ...rules.requires.map((kind) => KINDS[kind])];
  if (rules.min_strength !== null) {
    all.push({ text: "Not easy to guess", holds: (_, score) => score >= rules.min_strength });
  }
  return all;
}

/** What somebody is known by, and the words in it. */
function parts(text) {
  return [text, ...text.split(/[^\p{L}\p{N}]+/u)].filter(Boolean);
}

/** What scores passwords, one at a time, the newest first. `scored(result, typed)` is told of each. */
function meter(scored, failed) {
  const worker = new Worker("/static/strength.js");
  let waiting = null;
  let busy = null;
  const next = () => {
    busy = waiting;
    waiting = null;
    // oxlint-disable-next-line require-post-message-target-origin -- only windows have it
    if (busy !== null) worker.postMessage(busy);
  };
  worker.addEventListener("message", ({ data }) => {
    scored(data, busy.typed);
    next();
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    worker.terminate();
    failed();
  });
  return (typed, known) => {
    waiting = { typed, known };
    if (busy === null) next();
  };
}

/**
 * Bind the field that the macro `new_password` made of an input. `known()` lists what others would guess first, such as the
 * address.
 */
export function watch(input, known) {
  const field = input.closest(".field");
  const list = field.querySelector(".rules");
  const strength = field.querySelector(".strength");
  const verdict = field.querySelector(".verdict");
  let rules = [];
  let score = -1;
  let speaking = 0;
  let measure = null;

  const show = () => {
    rules.forEach(({ holds }, at) => {
      const held = holds(input.value, score);
      const item = list.children[at];
      item.classList.toggle("held", held);
      item.querySelector(".visually-hidden").textContent = held ? " (yes)" : " (not yet)";
    });
  };

  const judge = (value, text) => {
    score = value;
    strength.dataset.score = value < 0 ? "none" : value;
    verdict.textContent = text;
    show();
  };

  const speak = () => {
    const missing = rules.filter(({ holds }) => !holds(input.value, score)).map(({ text }) => text);
    const rest = missing.length ? `Still to come: ${missing.join(", ")}.` : "";
    say([rest, verdict.textContent].filter(Boolean).join(" "));
  };

  const change = () => {
    clearTimeout(speaking);
    if (input.value === "") judge(-1, "");
    else measure?.(input.value, known().flatMap(parts));
    show();
    if (input.value !== "") speaking = setTimeout(speak, QUIET_MS);
  };

  const begin = () => {
    if (measure !== null) return;
    measure = meter(
      (result, typed) => {
        if (typed !== input.value) return;
        judge(result.score, [VERDICTS[result.score], result.warning].filter(Boolean).join(". "));
      },
      () => {
        measure = () => {};
        strength.classList.add("away");
      },
    );
    change();
  };

  const load = async () => {
    const answer = await call("GET", "/auth/password/rules");
    if (answer.status !== 200) return;
    rules = inWords(answer.content);
    list.replaceChildren(
      ...rules.map(({ text }) => {
        const state = Object.assign(document.createElement("span"), { className: "visually-hidden" });
        const item = Object.assign(document.createElement("li"), { textContent: text });
        item.append(state);
        return item;
      }),
    );
    show();
  };

  input.addEventListener("focus", begin, { once: true });
  input.addEventListener("input", change);
  input.form.addEventListener("submit", () => clearTimeout(speaking));
  input.form.addEventListener("reset", () => {
    clearTimeout(speaking);
    judge(-1, "");
  });
  load();
  if (document.activeElement === input) begin();
}
