// Menus, drawn once for all. Not modal: a modal one would put styles into the document, which the content
// security policy forbids. What is open counts as being busy with the table, so that rows keep their place.

import { clsx } from "clsx";
import { Check } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";

/** The ground of everything that floats. */
export const FLOAT_CLASS =
  "z-40 min-w-44 rounded-lg border border-line bg-surface p-1 text-cell text-ink shadow-float outline-none";

const ITEM_CLASS =
  "flex min-h-8 cursor-default items-center gap-2 rounded-md px-2 py-1 outline-none select-none data-disabled:opacity-50 data-highlighted:bg-quiet-tint";

/** A menu with its trigger. */
export function Menu({
  trigger,
  align = "start",
  children,
}: {
  trigger: ReactNode;
  align?: "start" | "end";
  children: ReactNode;
}) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          sideOffset={6}
          collisionPadding={8}
          data-holds-order
          className={FLOAT_CLASS}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

/** One thing to do. */
export function MenuItem({ className, ...rest }: ComponentProps<typeof DropdownMenu.Item>) {
  return <DropdownMenu.Item {...rest} className={clsx(ITEM_CLASS, className)} />;
}

/** One of several that can be chosen together; the menu stays open. */
export function MenuCheck({
  checked,
  onChange,
  children,
}: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
}) {
  return (
    <DropdownMenu.CheckboxItem
      checked={checked}
      onCheckedChange={onChange}
      onSelect={(event) => event.preventDefault()}
      className={ITEM_CLASS}
    >
      <span
        className={clsx(
          "flex size-4 items-center justify-center rounded border",
          checked ? "border-accent bg-accent text-surface" : "border-edge",
        )}
      >
        {checked && <Check size={12} strokeWidth={3} aria-hidden="true" />}
      </span>
      {children}
    </DropdownMenu.CheckboxItem>
  );
}

/** One of several of which one is chosen. */
export function MenuChoices<Value extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: string;
  value: Value | null;
  choices: readonly { value: Value; label: string; icon?: ReactNode }[];
  onChange: (value: Value) => void;
}) {
  return (
    <>
      <DropdownMenu.Label className="px-2 pt-1.5 pb-1 text-xs font-medium text-faint">
        {label}
      </DropdownMenu.Label>
      <DropdownMenu.RadioGroup
        value={value ?? ""}
        onValueChange={(next) => {
          const choice = choices.find((one) => one.value === next);
          if (choice) onChange(choice.value);
        }}
      >
        {choices.map((choice) => (
          <DropdownMenu.RadioItem key={choice.value} value={choice.value} className={ITEM_CLASS}>
            {choice.icon}
            <span className="grow">{choice.label}</span>
            <DropdownMenu.ItemIndicator>
              <Check size={14} className="text-accent" aria-hidden="true" />
            </DropdownMenu.ItemIndicator>
          </DropdownMenu.RadioItem>
        ))}
      </DropdownMenu.RadioGroup>
    </>
  );
}

/** A line between groups. */
export function MenuLine() {
  return <DropdownMenu.Separator className="mx-1 my-1 h-px bg-line" />;
}
