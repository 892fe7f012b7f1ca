/** Tabs agree: what one of them changes, the others read again. */

import type { QueryClient } from "@tanstack/react-query";

const CHANNEL = "admit-one";

const channel = new BroadcastChannel(CHANNEL);

export function tellOtherTabs(): void {
  channel.postMessage("changed");
}

export function listenToOtherTabs(client: QueryClient): void {
  channel.onmessage = () => {
    void client.invalidateQueries();
  };
}
