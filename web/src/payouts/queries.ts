/** Calls about a seller's money. */

import { queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "../api/client";

/** What the marketplace keeps of a sale. */
export const fee = queryOptions({
  queryKey: ["fee"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/fee", { signal })),
  staleTime: 60_000,
});
