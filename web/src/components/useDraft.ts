import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { currentUser } from "../api/session";
import { DraftStorage } from "../rules/drafts";
import { useUser } from "./user";

/** The storage for the signed-in user's draft of a form. Leaving the page while still signed in deletes the draft. */
export function useDraft(form: string): DraftStorage {
  const client = useQueryClient();
  const { id } = useUser();
  const [storage] = useState(() => new DraftStorage(id, form));
  useEffect(
    () => () => {
      if (client.getQueryData(currentUser.queryKey)?.id === id) storage.delete();
    },
    [client, id, storage],
  );
  return storage;
}
