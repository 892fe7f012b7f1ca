import type { TicketStatus } from "../api/types";

/** The number printed on a ticket: enough of its id to tell it from another. */
export function ticketNumber(id: string): string {
  return `No. ${id.slice(-6)}`;
}

/** A ticket's status in a word. */
export const STATUS_WORDS: Record<TicketStatus, string> = {
  available: "On sale",
  reserved: "Held by a buyer",
  sold: "Sold",
  withdrawn: "Withdrawn",
};

/** The tickets whose title has every word of the search in it, without regard to case and accents. */
export function matching<T extends { title: string }>(tickets: T[], search: string): T[] {
  const words = plain(search).split(/\s+/).filter(Boolean);
  return tickets.filter((ticket) => words.every((word) => plain(ticket.title).includes(word)));
}

function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
