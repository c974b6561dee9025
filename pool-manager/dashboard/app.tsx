import { useEffect, useState } from "preact/hooks";
import { isFailure } from "./data/events.ts";
import { useRoute } from "./data/route.ts";
import { useStore } from "./data/store.ts";
import { nextTheme, type Theme, theme } from "./data/theme.ts";
import { KeyForm } from "./parts/key-form.tsx";
import { EventsView } from "./views/events.tsx";
import { FunctionView } from "./views/function/function.tsx";
import { FunctionsView } from "./views/functions.tsx";
import { PoolsView } from "./views/pools.tsx";

const TABS = [
  { at: "pools", href: "#/", label: "Pools" },
  { at: "functions", href: "#/functions", label: "Functions" },
  { at: "events", href: "#/events", label: "Events" },
] as const;

export function App() {
  useShortcuts();
  const connection = useStore((state) => state.connection);
  const isKnown = useStore((state) => state.status !== null);
  if (connection.is === "key") {
    return (
      <Frame>
        <KeyForm reason={connection.reason} />
      </Frame>
    );
  }
  return (
    <Frame>
      {connection.is === "lost" && (
        <p class="banner" role="alert">
          <strong>Connection lost.</strong> {connection.reason}. {isKnown ? "What is shown is the last that was heard; " : ""}it is tried again.
        </p>
      )}
      {isKnown ? <View /> : connection.is === "connecting" && <p class="empty">Connecting…</p>}
    </Frame>
  );
}

function View() {
  const route = useRoute();
  if (route.at === "functions") return <FunctionsView />;
  if (route.at === "function") return <FunctionView key={route.name} name={route.name} />;
  if (route.at === "events") return <EventsView />;
  return <PoolsView />;
}

function Frame({ children }: { children: preact.ComponentChildren }) {
  const route = useRoute();
  const failures = useStore((state) => state.events.filter(isFailure).length);
  const at = route.at === "function" ? "functions" : route.at;
  return (
    <>
      <header class="top">
        <a class="brand" href="#/">
          <Mark />
          Berth
        </a>
        <nav aria-label="Views">
          {TABS.map((tab, index) => (
            <a key={tab.at} href={tab.href} aria-current={tab.at === at ? "page" : undefined} title={`Key ${index + 1}`}>
              {tab.label}
              {tab.at === "events" && failures > 0 && <span class="count bad">{failures}</span>}
            </a>
          ))}
        </nav>
        <Standing />
        <ThemeButton />
      </header>
      <main>{children}</main>
    </>
  );
}

function Standing() {
  const connection = useStore((state) => state.connection);
  const status = useStore((state) => state.status);
  const words = { connecting: "connecting", live: "live", lost: "lost", key: "needs a key" }[connection.is];
  return (
    <div class="standing">
      {status && (
        <span class="quiet" title={`Berth ${status.version}`}>
          {status.platform}
          {!status.router && " · no router"}
        </span>
      )}
      <span class={`link ${connection.is}`} role="status">
        {words}
      </span>
    </div>
  );
}

function ThemeButton() {
  const [chosen, setChosen] = useState<Theme>(theme());
  return (
    <button type="button" class="plain" onClick={() => setChosen(nextTheme())} title="Light, dark, or as the system has it" aria-label={`Colours: ${chosen}`}>
      {{ auto: "◐", light: "○", dark: "●" }[chosen]}
    </button>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
      <rect x="1" y="1" width="6" height="6" rx="1.5" />
      <rect x="9" y="1" width="6" height="6" rx="1.5" opacity=".45" />
      <rect x="1" y="9" width="6" height="6" rx="1.5" opacity=".45" />
      <rect x="9" y="9" width="6" height="6" rx="1.5" />
    </svg>
  );
}

/** 1, 2 and 3 open the views, and `/` the filter of the current one. */
function useShortcuts(): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
      const tab = TABS[Number(event.key) - 1];
      if (tab) location.hash = tab.href;
      const filter = event.key === "/" ? document.querySelector<HTMLInputElement>("input[type=search]") : null;
      if (!tab && !filter) return;
      event.preventDefault();
      filter?.focus();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
