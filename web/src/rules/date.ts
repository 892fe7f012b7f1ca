/** A moment's day, as its reader would write it. */
export function asDay(moment: string, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(new Date(moment));
}

/** The day and the time of it. */
export function asDayAndTime(moment: string, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(moment),
  );
}
