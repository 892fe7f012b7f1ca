/** Messages between the tabs of a browser: after a change, the other tabs reload their data and have the same user. */

import type { User } from "./types";

const CHANNEL = "admit-one";

export type TabMessage =
  | { kind: "changed" }
  /** `isSignOut`: the user signed out, as opposed to a session that expired. */
  | { kind: "user"; user: User | null; isSignOut: boolean };

const channel = new BroadcastChannel(CHANNEL);

export function notifyOtherTabs(message: TabMessage): void {
  channel.postMessage(message);
}

export function onTabMessage(listener: (message: TabMessage) => void): void {
  channel.onmessage = ({ data }: MessageEvent<TabMessage>) => listener(data);
}
