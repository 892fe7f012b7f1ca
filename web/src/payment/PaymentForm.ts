/**
 * The interface between the pages and a card form. Pages call `paymentFormFor`. Each implementation is a separate chunk,
 * loaded when the form is needed.
 */

import { type ComponentType, type LazyExoticComponent, lazy } from "react";

/** The publishable key of the local Stripe. Stripe itself issues no such key. */
const LOCAL_PUBLISHABLE_KEY = "pk_test_local_admit_one";

export interface PaymentFormProps {
  clientSecret: string;
  publishableKey: string;
  /** The label of the submit button. */
  action: string;
  /** Called when the card was accepted. Only the API knows the outcome for the order. */
  onConfirmed: () => void;
  /** Called when the call may have reached Stripe but its response was lost. */
  onUnknownOutcome: () => void;
}

type Form = LazyExoticComponent<ComponentType<PaymentFormProps>>;

const StripeForm: Form = lazy(async () => ({
  default: (await import("./StripePaymentForm")).StripePaymentForm,
}));
const LocalForm: Form = lazy(async () => ({
  default: (await import("./LocalPaymentForm")).LocalPaymentForm,
}));

export function paymentFormFor(publishableKey: string): Form {
  return publishableKey === LOCAL_PUBLISHABLE_KEY ? LocalForm : StripeForm;
}
