import { type InfiniteData, type UseInfiniteQueryResult, useQueryClient } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useState } from "react";
import { useNavigationType } from "react-router";

/** How many pages without an entry are passed over before the reader is asked. */
const EMPTY_PAGES = 5;

/**
 * The entries of a list's pages, each once: an entry may have moved to another page between two calls. Pages that came
 * empty are passed over; `isEmpty` only once there can be no more. Whoever comes Back finds all that was loaded, any
 * other visit begins with the first page.
 */
export function useList<P, E extends { id: string }>(
  query: UseInfiniteQueryResult<InfiniteData<P>>,
  queryKey: readonly unknown[],
  entriesOf: (page: P) => E[],
) {
  const client = useQueryClient();
  const [key] = useState(queryKey);
  const isBack = useNavigationType() === "POP";
  useLayoutEffect(() => {
    const loaded = client.getQueryData<InfiniteData<P>>(key);
    if (isBack || loaded === undefined || loaded.pages.length < 2) return;
    client.setQueryData(key, { pages: loaded.pages.slice(0, 1), pageParams: loaded.pageParams.slice(0, 1) });
    // What is written counts as fresh, and this is not.
    void client.invalidateQueries({ queryKey: key, refetchType: "none" });
  }, [client, key, isBack]);
  const pages = query.data?.pages ?? [];
  const entries = [...new Map(pages.flatMap(entriesOf).map((entry) => [entry.id, entry])).values()];
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  const isLookingOn = entries.length === 0 && hasNextPage && pages.length < EMPTY_PAGES && !isError;
  useEffect(() => {
    if (isLookingOn && !isFetching) void fetchNextPage();
  }, [isLookingOn, isFetching, fetchNextPage]);
  return { entries, isLookingOn, isEmpty: entries.length === 0 && !hasNextPage };
}
