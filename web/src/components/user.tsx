import { createContext, type ReactNode, useContext } from "react";
import type { User } from "../api/types";

const Context = createContext<User | null>(null);

/** Provides the signed-in user. A different user remounts the children, so that no state of the previous user remains. */
export function SignedIn({ user, children }: { user: User; children: ReactNode }) {
  return (
    <Context key={user.id} value={user}>
      {children}
    </Context>
  );
}

/** The signed-in user, for components inside `SignedIn`. */
export function useUser(): User {
  const user = useContext(Context);
  if (user === null) throw new Error("not inside SignedIn");
  return user;
}
