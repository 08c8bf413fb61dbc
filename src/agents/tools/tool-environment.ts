/** What a server's configuration says of tools: its variables. */
export interface ToolEnvironment {
  /** Hosts (`name`, `name:port`) that tools may reach although they are private, separated by commas. */
  DORMOUSE_ALLOW_PRIVATE_HOSTS?: string
}
