/** The error message for text that cannot be an e-mail address. The server decides; this finds what was forgotten. */
export function emailError(email: string): string | undefined {
  return /^\S+@\S+$/.test(email.trim()) ? undefined : "Enter your e-mail address.";
}
