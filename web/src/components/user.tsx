import { createContext, type ReactNode, useContext } from "react";
import type { User } from "../api/types";

const Context = createContext<User | null>(null);

/** Shows what belongs to a user. Nothing of it, nor of its state, is left when somebody else is signed in. */
export function SignedIn({ user, children }: { user: User; children: ReactNode }) {
  return (
    <Context key={user.id} value={user}>
      {children}
    </Context>
  );
}

/** Who is signed in, for what is inside `SignedIn`. */
export function useUser(): User {
  const user = useContext(Context);
  if (user === null) throw new Error("not inside SignedIn");
  return user;
}
