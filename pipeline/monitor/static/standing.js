// How a pipeline stands, in words and with an icon: {kind, icon, text}. The kind is its colour.

import { duration } from "./format.js";

const WORDS = {
  starting: ["wait", "starting"],
  restarting: ["bad", "restarting"],
  failed: ["bad", "failed"],
  ended: ["off", "ended"],
};

// `member` is how it stands with the process and in its loop; undefined: there is none.
export function standing(member) {
  if (!member) return { kind: "bad", icon: "gone", text: "not in this process" };
  if (member.state in WORDS) {
    const [kind, text] = WORDS[member.state];
    return { kind, icon: member.state, text };
  }
  if (recovering(member)) return { kind: "wait", icon: "recovering", text: `recovering, ${Math.floor(member.recovery * 100)} %` };
  if (member.waiting.length) return { kind: "wait", icon: "waiting", text: "not ready" };
  if (member.loop === "running") return { kind: "good", icon: "running", text: "running" };
  return { kind: "wait", icon: "starting", text: member.loop };
}

// Why it does not run: an error, or what it waits for; "" where nothing is wrong.
export function reason(member) {
  if (!member) return "";
  if (member.state !== "running") return member.failure;
  return recovering(member) ? "" : member.waiting.join("; ");
}

const recovering = ({ recovery }) => recovery != null && recovery < 1;

// "12 s" until the next attempt; "" where none is waited for.
export const untilRetry = ({ state, retry_s: retry }) =>
  state === "restarting" ? duration(Math.ceil(retry) * 1000) : "";

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
