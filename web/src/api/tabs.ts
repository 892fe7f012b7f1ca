/** Tabs agree: what one of them changes, the others read again, and they all have the same user. */

import type { User } from "./types";

const CHANNEL = "admit-one";

export type Message =
  | { kind: "changed" }
  /** `isSignOut`: the user left, instead of a session that has ended. */
  | { kind: "user"; user: User | null; isSignOut: boolean };

const channel = new BroadcastChannel(CHANNEL);

export function tellOtherTabs(message: Message): void {
  channel.postMessage(message);
}

export function listenToOtherTabs(hear: (message: Message) => void): void {
  channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data);
}
