import type { TicketStatus } from "../api/types";

/** The short number that is printed on a ticket: the end of its id. */
export function ticketNumber(id: string): string {
  return `No. ${id.slice(-6)}`;
}

export const STATUS_LABELS: Record<TicketStatus, string> = {
  available: "On sale",
  reserved: "Held by a buyer",
  sold: "Sold",
  withdrawn: "Withdrawn",
};

/** The tickets whose titles contain every word of the search, ignoring case and accents. */
export function searchTickets<T extends { title: string }>(tickets: T[], search: string): T[] {
  const words = normalise(search).split(/\s+/).filter(Boolean);
  return tickets.filter((ticket) => words.every((word) => normalise(ticket.title).includes(word)));
}

function normalise(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
