// A link that costs a row nothing: a real address that the router takes over on a plain click. The router's own
// Link listens to every change of location, which fifty rows of a live table should not.

import { useRouter } from "@tanstack/react-router";
import type { ComponentProps, MouseEvent } from "react";

/** A link inside the app; without an address it leads nowhere. */
export function RowLink({ href, onClick, ...rest }: ComponentProps<"a"> & { href: string | undefined }) {
  const router = useRouter();
  const go = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (event.defaultPrevented || !plain || href === undefined) return;
    event.preventDefault();
    router.history.push(href);
  };
  return <a {...rest} href={href} onClick={go} />;
}
