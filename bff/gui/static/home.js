import { call, isOut } from "./api.js";
import { unavailable } from "./form.js";
import { kept, say } from "./ui.js";

const account = document.getElementById("account");
const problem = account.querySelector(".form-error");
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const OVER = "You are not logged in any more. Please log in again.";
// In this order, since a browser's User-Agent names those that it is compatible with as well.
const BROWSERS = ["Edg", "OPR", "Firefox", "Chrome", "Safari"];
const PLATFORMS = ["iPhone", "iPad", "Android", "Windows", "Mac OS", "Linux"];
const NAMES = { Edg: "Edge", OPR: "Opera", "Mac OS": "macOS" };

/** What somebody would call their device, by its User-Agent. */
function device(agent) {
  if (!agent) return "A device without a name";
  const find = (names) => names.find((name) => agent.includes(name));
  const named = [find(BROWSERS), find(PLATFORMS)].filter(Boolean).map((name) => NAMES[name] ?? name);
  return named.length ? named.join(" on ") : agent.split(/[\s/]/)[0];
}

function leave(notice) {
  if (notice && localStorage.getItem("logged-in")) kept.put("notice", notice);
  localStorage.removeItem("logged-in");
  location.replace("/login");
}

async function end(session, item) {
  const answer = await call("DELETE", `/auth/sessions/${session.id}`);
  if (answer.status === 401) return leave(OVER);
  if (answer.status === 204 || answer.status === 404) {
    item.remove();
    say("The session is ended.");
    document.getElementById("sessions-title").focus();
    return undefined;
  }
  problem.textContent = `The session could not be ended. ${answer.content.detail}`;
  return undefined;
}

function show(session) {
  const item = document.getElementById("session").content.cloneNode(true).firstElementChild;
  const name = device(session.user_agent);
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
  const [mine, all] = await Promise.all([call("GET", "/auth/session"), call("GET", "/auth/sessions")]);
  if (mine.status === 401) return leave(OVER);
  if (isOut(mine) || isOut(all)) {
    account.hidden = true;
    unavailable(document.querySelector(".unavailable"), isOut(mine) ? mine : all, true, load);
    return undefined;
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
  return undefined;
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
