import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { usePutOnSale } from "../api/changes";
import { ticketsOnSale } from "../api/queries";
import { useDraft } from "../components/draft";
import { TicketForm } from "./TicketForm";

export function Sell() {
  const navigate = useNavigate();
  const put = usePutOnSale(useDraft("sell-intention"));
  const draft = useDraft("sell");
  const onSale = useInfiniteQuery(ticketsOnSale);
  return (
    <div className="narrow">
      <title>Sell a ticket · Admit One</title>
      <h1>Sell a ticket</h1>
      <TicketForm
        draft={draft}
        currency={onSale.data?.pages[0]?.tickets[0]?.currency}
        action="Put it on sale"
        isPending={put.isPending}
        error={put.error}
        onSave={(ticket) => put.mutate(ticket, { onSuccess: ({ id }) => void navigate(`/tickets/${id}`) })}
      />
    </div>
  );
}
