// What somebody would call their device, by its User-Agent.

// In this order, since a browser's User-Agent names those that it is compatible with as well.
const BROWSERS = ["Edg", "OPR", "Firefox", "Chrome", "Safari"];
const PLATFORMS = ["iPhone", "iPad", "Android", "Windows", "Mac OS", "Linux"];
const NAMES = { Edg: "Edge", OPR: "Opera", "Mac OS": "macOS" };

export function deviceName(agent) {
  if (!agent) return "A device without a name";
  const find = (names) => names.find((name) => agent.includes(name));
  const named = [find(BROWSERS), find(PLATFORMS)].filter(Boolean).map((name) => NAMES[name] ?? name);
  return named.length ? named.join(" on ") : agent.split(/[\s/]/)[0];
}
