import type { EventHandler } from "@berth-faas/berth/handlers";

export const receive: EventHandler<{ name?: string }> = (data, context) => {
  return { hello: data.name ?? "world", id: context.eventId };
};
