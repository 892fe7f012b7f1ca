import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { currentUser } from "../api/session";
import { DraftPlace } from "../rules/drafts";
import { useUser } from "./user";

/** Where the user's draft of a form is kept, or what else belongs to it. Leaving the page while one is signed in gives it up. */
export function useDraft(form: string): DraftPlace {
  const client = useQueryClient();
  const { id } = useUser();
  const [place] = useState(() => new DraftPlace(id, form));
  useEffect(
    () => () => {
      if (client.getQueryData(currentUser.queryKey)?.id === id) place.forget();
    },
    [client, id, place],
  );
  return place;
}
