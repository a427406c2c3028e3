import { isOut } from "./api.js";
import { areShown, copy, insist, showCodes } from "./backup-codes.js";
import { codeForm } from "./code.js";
import { deviceName } from "./devices.js";
import { bind, phoneNumber, unavailable } from "./form.js";
import { callProven } from "./reauthentication.js";
import { watch } from "./password-field.js";
import { callSignedIn } from "./session.js";
import { kept, say } from "./ui.js";

const EVENTS = {
  totp_added: "Authenticator app added",
  totp_removed: "Authenticator app removed",
  backup_codes_made: "New backup codes made",
  phone_added: "Phone number added",
  phone_removed: "Phone number removed",
  default_phone_changed: "Another phone number gets the codes first",
  password_changed: "Password changed",
  password_reset: "New password set with a code",
  other_sessions_ended: "All other sessions ended",
};
const AWAY = "away from the overview";
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const overview = document.getElementById("overview");
const problem = overview.querySelector(".form-error");
const account = document.getElementById("account");
const panel = overview.querySelector(".unavailable");
const confirmation = document.getElementById("confirmation");
const passwordForm = document.querySelector("#password-change form");
const phoneForm = document.querySelector("#phone form");
let confirmed = null;

/** Show one of the page's views. What is no overview is a step of the browser's history, which Back takes back. */
function show(id) {
  const away = id !== "overview";
  if (away && history.state !== AWAY) history.pushState(AWAY, "");
  if (!away && history.state === AWAY) history.back();
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== id;
  window.scrollTo(0, 0);
  document.querySelector(`#${id} h1`).focus();
  passwordForm.reset(); // no password stays where nobody sees it
}

/** Show the overview as it is by now, and say what was done. */
async function back(done) {
  show("overview");
  problem.textContent = "";
  await load();
  say(done);
}

/** Show the overview with what went wrong. */
async function fail(text) {
  await back("");
  problem.textContent = text;
}

/** Show new backup codes, if any came with what was done, before the overview. */
function finish(codes, done) {
  if (!codes) return back(done);
  showCodes(codes, () => back(done));
  show("backup-codes");
  say(done);
  return undefined;
}

/** Say that the service is out, and do it `again` when it is back. */
function out(answer, again) {
  account.hidden = true;
  unavailable(panel, answer, true, () => {
    account.hidden = false;
    again();
  });
}

/** Make the call of a button of the overview. `done(content)` goes on after a success. */
async function act(button, path, done) {
  if (button?.ariaBusy === "true") return;
  problem.textContent = "";
  button?.setAttribute("aria-busy", "true");
  const answer = await callProven("POST", path);
  button?.removeAttribute("aria-busy");
  if (answer === null) return;
  if (answer.status < 300 && answer.status >= 200) {
    await done(answer.content);
  } else if (isOut(answer)) {
    out(answer, () => act(null, path, done));
  } else {
    await fail(answer.content?.detail);
  }
}

/** Ask in a dialog whether it is meant. `send(signOutOthers)` does it, and `done(content)` goes on after it. */
function confirm({ title, text, button, send, done }) {
  confirmed = { send, done };
  document.getElementById("confirmation-title").textContent = title;
  document.getElementById("confirmation-text").textContent = text;
  confirmation.querySelector("button[type=submit]").textContent = button;
  confirmation.showModal();
}

function remove(what, path) {
  confirm({
    title: `Remove ${what}?`,
    text: "You can't log in with it any more. If it is your last method, your password alone opens your account.",
    button: "Remove",
    send: (signOutOthers) => callProven("DELETE", `${path}?sign_out_others=${signOutOthers}`),
    done: () => back("It is removed."),
  });
}

function makeCodes() {
  confirm({
    title: "Make new backup codes?",
    text: "The codes that you have work no more.",
    button: "Make new codes",
    send: (signOutOthers) => callProven("POST", "/auth/mfa/backup-codes", { sign_out_others: signOutOthers }),
    done: ({ backup_codes: codes }) => finish(codes, "New backup codes are made."),
  });
}

/** What asks for the code that finishes an enrolment. */
function finishing(enrolment, path, done) {
  return {
    check: (code, _, values) =>
      callProven("POST", path, {
        enrolment_id: enrolment.enrolment_id,
        code,
        sign_out_others: values.sign_out_others === "on",
      }),
    done: ({ backup_codes: codes }) => finish(codes, done),
    over: () => fail("That took too long, or had too many wrong codes. Please begin again."),
  };
}

const totpCode = codeForm(document.getElementById("totp-code-form"));
const phoneCode = codeForm(document.getElementById("phone-code-form"));

function setUpAuthenticator(button) {
  return act(button, "/auth/mfa/totp", (enrolment) => {
    const image = new DOMParser().parseFromString(enrolment.qr, "image/svg+xml").documentElement;
    image.setAttribute("role", "img");
    image.setAttribute("aria-label", "QR code with the key that is written below");
    document.getElementById("qr").replaceChildren(document.adoptNode(image));
    document.getElementById("uri").href = enrolment.uri;
    document.getElementById("secret").textContent = enrolment.secret.match(/.{1,4}/g).join(" ");
    show("authenticator");
    totpCode.ask({
      methods: [{ method: "totp", to: null }],
      lead: () => "Then type the code that the app shows.",
      ...finishing(enrolment, "/auth/mfa/totp/verify", "Your authenticator app is on."),
    });
  });
}

async function changePassword() {
  show("password-change");
  passwordForm.elements.current_password.focus();
  const mine = await callSignedIn("GET", "/auth/session");
  if (mine.status === 200) passwordForm.elements.username.defaultValue = mine.content.user.email;
}

function addNumber() {
  phoneForm.reset();
  show("phone");
  phoneForm.elements.number.focus();
}

function askForPhoneCode(enrolment) {
  show("phone-check");
  phoneCode.ask({
    methods: [{ method: "sms", to: enrolment.sent_to }],
    wait: enrolment.resend_after,
    send: () => callProven("POST", "/auth/mfa/phones/resend", { enrolment_id: enrolment.enrolment_id }),
    focus: true,
    ...finishing(enrolment, "/auth/mfa/phones/verify", "Your phone number is added."),
  });
}

function row({ name, details, state = "", choices = [] }) {
  const item = document.getElementById("row").content.cloneNode(true).firstElementChild;
  item.querySelector(".name").textContent = name;
  item.querySelector(".details").textContent = details;
  item.querySelector(".current").textContent = state;
  item.querySelector(".current").classList.toggle("off", state === "Off");
  item.querySelector(".choices").replaceChildren(
    ...choices.filter(Boolean).map(({ text, press }) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "secondary", textContent: text });
      button.setAttribute("aria-label", `${text}: ${name}`);
      button.addEventListener("click", () => press(button));
      return button;
    }),
  );
  return item;
}

function authenticator({ totp, offered }) {
  if (!totp && !offered.totp) return null;
  return row({
    name: "Authenticator app",
    details: "Shows a new code every half minute, also without a connection.",
    state: totp ? "On" : "Off",
    choices: [
      totp
        ? { text: "Remove", press: () => remove("the authenticator app", "/auth/mfa/totp") }
        : { text: "Set up", press: setUpAuthenticator },
    ],
  });
}

function phoneDetails(on, first) {
  if (!on) return "Gets no codes. To have it get them, remove it and add it again.";
  return first ? "Gets the codes first." : "";
}

function phone({ id, number, second_factor: on, default: first }, severalOn) {
  const path = `/auth/mfa/phones/${id}`;
  const prefer = (button) => act(button, `${path}/default`, () => back("Codes go to this number first."));
  return row({
    name: `Text message to ${number}`,
    details: phoneDetails(on, first && severalOn),
    state: on ? "On" : "Off",
    choices: [
      on && severalOn && !first && { text: "Use first", press: prefer },
      { text: "Remove", press: () => remove(`the number ${number}`, path) },
    ],
  });
}

function phones({ phones: all, offered }) {
  const severalOn = all.filter(({ second_factor: on }) => on).length > 1;
  const another = offered.sms && {
    name: all.length ? "Another phone number" : "Text message",
    details: "We send a code to your phone.",
    state: all.length ? "" : "Off",
    choices: [{ text: "Add a number", press: addNumber }],
  };
  return [...all.map((each) => phone(each, severalOn)), another && row(another)];
}

function backupCodes({ totp, backup_codes: on, phones: all, offered }) {
  const has = totp || all.some(({ second_factor: used }) => used);
  if (!has || !offered.backup_code) return null;
  return row({
    name: "Backup codes",
    details: "For when you can't use the others. Each works once.",
    state: on ? "On" : "Off",
    choices: [{ text: on ? "Make new codes" : "Make codes", press: makeCodes }],
  });
}

function event({ kind, at, address, user_agent: agent }) {
  const details = [moment.format(new Date(at)), deviceName(agent), address].filter(Boolean).join(", ");
  return row({ name: EVENTS[kind], details });
}

async function load() {
  const mfa = await callProven("GET", "/auth/mfa");
  if (mfa === null) {
    location.replace("/");
    return;
  }
  const log = await callSignedIn("GET", "/auth/events");
  const failed = [mfa, log].find((answer) => answer.status !== 200);
  if (failed) {
    if (isOut(failed)) out(failed, load);
    else problem.textContent = failed.content?.detail;
    return;
  }
  const rows = [authenticator(mfa.content), ...phones(mfa.content), backupCodes(mfa.content)];
  document.getElementById("methods").replaceChildren(...rows.filter(Boolean));
  document.getElementById("events").replaceChildren(...log.content.events.map(event));
  document.getElementById("no-events").hidden = log.content.events.length > 0;
  overview.setAttribute("aria-busy", "false");
}

bind(confirmation.querySelector("form"), {
  send: (values) => confirmed.send(values.sign_out_others === "on"),
  done: (content) => {
    confirmation.close();
    return confirmed.done(content);
  },
  refused: (answer) => {
    if (answer.status !== 404) return false;
    confirmation.close(); // it was removed meanwhile, elsewhere
    fail(answer.content.detail);
    return true;
  },
});
confirmation.querySelector(".cancel").addEventListener("click", () => confirmation.close());
confirmation.addEventListener("close", () => confirmation.querySelector("form").reset());

watch(passwordForm.elements.new_password, () => [passwordForm.elements.username.value].filter(Boolean));
bind(passwordForm, {
  messages: {
    current_password: "Please type the password that you have.",
    new_password: "Please choose a password.",
  },
  send: (values) =>
    callProven("POST", "/auth/password/change", {
      current_password: values.current_password,
      new_password: values.new_password,
      sign_out_others: values.sign_out_others === "on",
    }),
  done: () => back("Your password is changed."),
});
document.getElementById("change-password").addEventListener("click", changePassword);
document.getElementById("forgot").addEventListener("click", () => {
  kept.put("email", passwordForm.elements.username.value);
});

bind(phoneForm, {
  messages: { number: "Please type your phone number." },
  send: ({ number }) => callProven("POST", "/auth/mfa/phones", { number: phoneNumber(number) }),
  done: askForPhoneCode,
});

for (const button of document.querySelectorAll(".back")) button.addEventListener("click", () => back(""));
document.getElementById("copy-secret").addEventListener("click", (press) => {
  copy(press.currentTarget, document.getElementById("secret").textContent.replaceAll(" ", ""));
});
window.addEventListener("popstate", () => {
  if (!overview.hidden || history.state === AWAY) return;
  if (areShown()) {
    history.pushState(AWAY, "");
    insist();
  } else {
    back("");
  }
});
if (history.state === AWAY) history.back(); // the page was loaded anew, and shows the overview
window.addEventListener("pageshow", (shown) => {
  if (shown.persisted) load(); // the browser's Back shows the page as it was left
});
load();
