import { call, isOut } from "./api.js";
import { deviceName } from "./devices.js";
import { unavailable } from "./form.js";
import { callSignedIn, leave } from "./session.js";
import { say } from "./ui.js";

const account = document.getElementById("account");
const problem = account.querySelector(".form-error");
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

async function end(session, item) {
  const answer = await callSignedIn("DELETE", `/auth/sessions/${session.id}`);
  if (answer.status === 204 || answer.status === 404) {
    item.remove();
    say("The session is ended.");
    document.getElementById("sessions-title").focus();
  } else {
    problem.textContent = `The session could not be ended. ${answer.content.detail}`;
  }
}

function show(session) {
  const item = document.getElementById("session").content.cloneNode(true).firstElementChild;
  const name = deviceName(session.user_agent);
  item.querySelector(".device").textContent = name;
  item.querySelector(".details").textContent = [
    session.address,
    `last used ${moment.format(new Date(session.last_used_at))}`,
  ]
    .filter(Boolean)
    .join(", ");
  item.querySelector(".current").hidden = !session.current;
  const button = item.querySelector(".end");
  button.hidden = session.current;
  button.setAttribute("aria-label", `End the session: ${name}`);
  button.addEventListener("click", () => {
    button.setAttribute("aria-busy", "true");
    end(session, item).finally(() => button.removeAttribute("aria-busy"));
  });
  return item;
}

async function load() {
  const [mine, all] = await Promise.all([callSignedIn("GET", "/auth/session"), callSignedIn("GET", "/auth/sessions")]);
  if (isOut(mine) || isOut(all)) {
    account.hidden = true;
    unavailable(document.querySelector(".unavailable"), isOut(mine) ? mine : all, true, load);
    return;
  }
  const { user, session } = mine.content;
  const name = [user.first_name, user.last_name].filter(Boolean).join(" ");
  document.getElementById("greeting").textContent = name ? `Hello, ${name}` : "Hello";
  document.getElementById("email").textContent = user.email + (user.email_verified ? "" : " (not verified)");
  document.getElementById("since").textContent = moment.format(new Date(session.created_at));
  document.getElementById("authentication").textContent = user.authentication === "clerk" ? "Clerk" : "AX itself";
  document
    .getElementById("sessions")
    .replaceChildren(...all.content.sessions.toSorted((a, b) => b.current - a.current).map(show));
  account.hidden = false;
  account.setAttribute("aria-busy", "false");
}

document.getElementById("log-out").addEventListener("click", async (event) => {
  event.currentTarget.setAttribute("aria-busy", "true");
  const button = event.currentTarget;
  const answer = await call("POST", "/auth/logout");
  if (answer.status === 204 || answer.status === 401) return leave();
  button.removeAttribute("aria-busy");
  problem.textContent = `You could not be logged out. ${answer.content.detail}`;
  return undefined;
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) load(); // the browser's Back shows the page as it was left; perhaps one is logged out by now
});
load();
