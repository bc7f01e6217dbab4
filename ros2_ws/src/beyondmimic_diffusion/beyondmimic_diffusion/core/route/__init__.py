"""Ways through a known map: near waypoints for a planner that sees one second ahead."""

from .occupancy_map import OccupancyMap
from .route import Route
from .route_planner import NoRouteError, RouteConfig, RoutePlanner

__all__ = ["NoRouteError", "OccupancyMap", "Route", "RouteConfig", "RoutePlanner"]
