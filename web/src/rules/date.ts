/** A moment as its reader would write it. */
export function asDate(moment: string, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(moment),
  );
}
