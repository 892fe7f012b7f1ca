import { lengthOf } from "./text";

const SHORTEST = 8;
const LONGEST = 128;

/** The limits, for whoever chooses a password. */
export const PASSWORD_HINT = `${SHORTEST} to ${LONGEST} characters. Letters of any language, spaces and emoji count too.`;

/** What is wrong with a password, counted as the server counts it: in code points of its NFC form. */
export function passwordProblem(password: string, page: "signin" | "signup"): string | undefined {
  const length = lengthOf(password.normalize("NFC"));
  if (length === 0) return page === "signup" ? "Choose a password." : "Give your password.";
  if (page === "signup" && length < SHORTEST)
    return `Take at least ${SHORTEST} characters. This has ${length}.`;
  if (length > LONGEST) return `Passwords have at most ${LONGEST} characters. This has ${length}.`;
  return undefined;
}
