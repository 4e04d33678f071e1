// The one place that names every family.
#pragma once

#include "families/family.h"

// Innocent.
extern const struct family family_household, family_school, family_business_mail_server,
    family_hybrid_server, family_newsletter, family_stale_list, family_queue_flush,
    family_mailing_list, family_forwarder, family_dead_destination_queue, family_stubborn_device,
    family_callout_verifier, family_monitoring_probe, family_stale_password,
    family_password_manager, family_mail_migration, family_autodiscovery, family_bcc_club,
    family_zmap_outbound, family_inbound_scan, family_home_resolver, family_vpn_user,
    family_exit_node, family_long_flow, family_edge_traffic, family_dialogue;

// Guilty.
extern const struct family family_bot_direct, family_smarthost_relayer, family_compromised_account,
    family_socks_relay, family_backconnect_proxy, family_password_guesser, family_backscatter,
    family_harvester, family_open_relay;
