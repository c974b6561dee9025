import "./style/base.css";
import "./style/parts.css";
import "./style/map.css";
import "./style/views.css";
import "./style/advice.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme } from "./data/theme.ts";
import { connect } from "./streams/overview-link.ts";

applyTheme();
connect();
render(<App />, document.getElementById("app") as HTMLElement);
