import { codePointCount } from "./text";

const MIN_LENGTH = 8;
const MAX_LENGTH = 128;

export const PASSWORD_HINT = `${MIN_LENGTH} to ${MAX_LENGTH} characters: letters of any language, spaces and emoji are allowed.`;

/** The error message for an invalid password. Its length is counted as by the server: code points of the NFC form. */
export function passwordError(password: string, page: "signin" | "signup"): string | undefined {
  const length = codePointCount(password.normalize("NFC"));
  if (length === 0) return page === "signup" ? "Choose a password." : "Enter your password.";
  if (page === "signup" && length < MIN_LENGTH)
    return `Use at least ${MIN_LENGTH} characters. This password has ${length}.`;
  if (length > MAX_LENGTH) return `Use at most ${MAX_LENGTH} characters. This password has ${length}.`;
  return undefined;
}
