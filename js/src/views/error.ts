// The error view: what is wrong, where, and what to write instead.

import { drawFailure } from "../ui/failure.ts";
import type { View } from "../ui/view.ts";

const view: View = {
  name: "error",
  title: "error",
  render({ el, session, announce, signal }) {
    let drawn: AbortController | null = null;
    const draw = (): void => {
      drawn?.abort();
      drawn = new AbortController();
      const { failure } = session.state;
      el.hidden = failure === null;
      el.replaceChildren();
      if (failure === null) return;
      drawFailure(el, failure, AbortSignal.any([drawn.signal, signal]));
      announce(`${failure.kind}: ${failure.message}`);
    };
    draw();
    session.onChange(draw, signal);
  },
};
export default view;
