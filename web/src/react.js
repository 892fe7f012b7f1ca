/** Replaces the module `react` in the build (`vite.config.ts`): Preact, with the one function that it lacks. */

import { options } from "preact";

// Effects run before any other event, as React's do after an update in a layout effect. Preact would run them after the
// next frame, and Stripe's library, which adds its listeners in an effect, could miss that its form is ready.
options.requestAnimationFrame = queueMicrotask;

export * from "preact/compat";
export { default } from "preact/compat";

/**
 * React Router calls it for a state that is shown during a transition. Preact has no transitions: it renders each update.
 *
 * @template T
 * @param {T} value
 * @returns {[T, (next: T) => void]}
 */
export function useOptimistic(value) {
  return [value, () => {}];
}
