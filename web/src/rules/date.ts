/** Formats the date of a timestamp, in the user's language. */
export function formatDate(timestamp: string, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(new Date(timestamp));
}

/** Formats a timestamp's date and time, in the user's language. */
export function formatDateTime(timestamp: string, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(timestamp),
  );
}
