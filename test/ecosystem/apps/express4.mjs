import express from "express4";
import { createApp } from "./express-app.mjs";

export default createApp(express);
