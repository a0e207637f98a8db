// Buttons and the classes that links share with them. One height for all, so that a row of them is a line.

import { clsx } from "clsx";
import type { ComponentProps } from "react";

/** How much a button wants to be pressed. */
export type Weight = "plain" | "ghost" | "primary";

/** The look of a button, for links too. */
export function buttonClass(weight: Weight = "plain", extra?: string): string {
  return clsx(
    "inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 text-cell font-medium whitespace-nowrap transition-colors disabled:opacity-50",
    weight === "plain" && "border border-edge bg-surface text-ink hover:bg-hover",
    weight === "ghost" && "text-soft hover:bg-quiet-tint hover:text-ink",
    weight === "primary" && "bg-accent text-surface hover:opacity-90",
    extra,
  );
}

/** A button. */
export function Button({
  weight = "plain",
  className,
  ...rest
}: ComponentProps<"button"> & { weight?: Weight }) {
  return <button type="button" {...rest} className={buttonClass(weight, className)} />;
}

/** A square button with an icon; it needs a label. */
export function IconButton({
  label,
  className,
  ...rest
}: Omit<ComponentProps<"button">, "aria-label"> & { label: string }) {
  return (
    <button
      type="button"
      {...rest}
      aria-label={label}
      className={clsx(
        "inline-flex size-7 shrink-0 items-center justify-center rounded-md text-faint transition-colors hover:bg-quiet-tint hover:text-ink",
        className,
      )}
    />
  );
}
