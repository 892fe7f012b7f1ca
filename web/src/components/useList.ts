import { type InfiniteData, type UseInfiniteQueryResult, useQueryClient } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useState } from "react";
import { useNavigationType } from "react-router";

/** After this many empty pages, the user decides whether to load more. */
const MAX_EMPTY_PAGES = 5;

/**
 * The entries of a list's loaded pages. Each entry is returned once, though it may move to another page between two
 * calls. Empty pages are skipped; `isEmpty` is true only if there are no further pages. After Back, all loaded pages are
 * shown; any other visit starts with the first page.
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
    // `setQueryData` marks the data as fresh, but it may be old.
    void client.invalidateQueries({ queryKey: key, refetchType: "none" });
  }, [client, key, isBack]);
  const pages = query.data?.pages ?? [];
  const entries = [...new Map(pages.flatMap(entriesOf).map((entry) => [entry.id, entry])).values()];
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  const isSkippingEmptyPages =
    entries.length === 0 && hasNextPage && pages.length < MAX_EMPTY_PAGES && !isError;
  useEffect(() => {
    if (isSkippingEmptyPages && !isFetching) void fetchNextPage();
  }, [isSkippingEmptyPages, isFetching, fetchNextPage]);
  return { entries, isSkippingEmptyPages, isEmpty: entries.length === 0 && !hasNextPage };
}
