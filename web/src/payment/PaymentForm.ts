/**
 * The one seam to whoever takes the card. A page asks `paymentFormFor` and knows no more than this interface; each
 * implementation is a chunk of its own, fetched when the form is needed.
 */

import { type ComponentType, type LazyExoticComponent, lazy } from "react";

/** The publishable key that the local Stripe goes by. Stripe itself never gives out such a key. */
const LOCAL_STRIPE = "pk_test_local_admit_one";

export interface PaymentFormProps {
  clientSecret: string;
  publishableKey: string;
  /** What the button says. */
  action: string;
  /** The card was accepted. What has come of it is for the API to say. */
  onConfirmed: () => void;
  /** The call was made and its outcome is not known: that too is for the API to say. */
  onLost: () => void;
}

type Form = LazyExoticComponent<ComponentType<PaymentFormProps>>;

const StripeForm: Form = lazy(async () => ({
  default: (await import("./StripePaymentForm")).StripePaymentForm,
}));
const LocalForm: Form = lazy(async () => ({
  default: (await import("./LocalPaymentForm")).LocalPaymentForm,
}));

export function paymentFormFor(publishableKey: string): Form {
  return publishableKey === LOCAL_STRIPE ? LocalForm : StripeForm;
}
